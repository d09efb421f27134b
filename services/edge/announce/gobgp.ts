import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js'
import { OperatingError } from '@weir/kernel'
import type { z } from 'zod'
import { families, listedPaths, listedPeer, methods, ownRoutes, pathOf } from './gobgp-messages.ts'

/** One address as gobgpd is told of it: a host route with these attributes. */
export interface HostRoute {
  readonly address: string
  readonly nextHop: string
  /** Standard communities as 32-bit numbers, ascending. */
  readonly communities: readonly number[]
}

/** The few calls of a gobgpd's API that announce and withdraw. They throw OperatingError. */
export interface Gobgp {
  /** The host routes that were put in by this API with our mark; those of others are not seen. */
  list(): Promise<readonly HostRoute[]>
  /** They are in the table of gobgpd, or out of it, when this resolves. */
  change(announce: readonly HostRoute[], withdraw: readonly HostRoute[]): Promise<void>
  /** How many routers have a session, of how many that are configured. */
  sessions(): Promise<{ readonly established: number; readonly configured: number }>
  /** Calls back when a session begins or ends, until the daemon is gone. @throws GobgpGone */
  watch(onSession: () => void): Promise<never>
  close(): void
}

/** There is no gobgpd at the address, so that nothing is announced by it. */
export class GobgpGone extends OperatingError {}

export interface GobgpOptions {
  /** Such as `127.0.0.1:50051` or `unix:///run/gobgpd.sock`. */
  readonly address: string
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
}

const deadlineMs = 5_000
/** Routes in one call, each with a deadline of its own: a fraction of a second's work for gobgpd. */
const atOnce = 1_000
/** RFC 4271, section 8.2.2: the sixth of the states of a session. */
const established = 6

export const connectGobgp = ({ address, now }: GobgpOptions): Gobgp => {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
  })
  const failed = (what: string, cause: unknown): OperatingError => {
    const attempted = `cannot ${what} at gobgpd, ${address}`
    if (isUnavailable(cause)) return new GobgpGone(attempted, { cause })
    return new OperatingError(attempted, { cause })
  }
  const within = () => ({ deadline: now() + deadlineMs })

  const readAll = <T>(name: 'ListPath' | 'ListPeer', request: object, schema: z.ZodType<T>) => {
    const { path, requestSerialize: to, responseDeserialize: from } = methods[name]
    const call = client.makeServerStreamRequest(path, to, from, request, within())
    return new Promise<readonly T[]>((resolve, reject) => {
      const read: unknown[] = []
      call.on('data', (message: unknown) => void read.push(message))
      call.on('error', (cause) => reject(failed(`read by ${name}`, cause)))
      call.on('end', () => {
        const parsed = schema.array().safeParse(read)
        if (parsed.success) resolve(parsed.data)
        else reject(failed(`understand ${name}`, parsed.error))
      })
    })
  }
  const send = (paths: readonly object[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize: to, responseDeserialize: from } = methods.AddPathStream
      const done = (error: ServiceError | null): void =>
        error ? reject(failed('change routes', error)) : resolve()
      const call = client.makeClientStreamRequest(path, to, from, within(), done)
      call.write({ paths })
      call.end()
    })
  return {
    list: async () => {
      const lists = await Promise.all(
        Object.values(families).map((family) => readAll('ListPath', { family }, listedPaths)),
      )
      return ownRoutes(lists.flat())
    },
    change: async (announce, withdraw) => {
      const gone = withdraw.map((route) => ({ ...pathOf(route), is_withdraw: true }))
      const paths = [...gone, ...announce.map(pathOf)]
      for (let at = 0; at < paths.length; at += atOnce) await send(paths.slice(at, at + atOnce))
    },
    sessions: async () => {
      const peers = await readAll('ListPeer', {}, listedPeer)
      const up = peers.filter(({ peer }) => peer.state.session_state === established)
      return { established: up.length, configured: peers.length }
    },
    watch: (onSession) =>
      new Promise((_, reject) => {
        const { path, requestSerialize: to, responseDeserialize: from } = methods.WatchEvent
        const call = client.makeServerStreamRequest(path, to, from, { peer: {} })
        call.on('data', onSession)
        call.on('error', (error) => reject(failed('watch sessions', error)))
        call.on('end', () => reject(new GobgpGone(`gobgpd, ${address}, ended`)))
      }),
    close: () => client.close(),
  }
}

const isUnavailable = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === status.UNAVAILABLE
