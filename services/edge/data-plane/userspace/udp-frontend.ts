import type { Clock } from '@weir/kernel'
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import type { Flow, Flows } from './flows.ts'
import type { Endpoint } from './proxy-header.ts'
import type { Route } from './route.ts'
import type { Tally } from './tally.ts'
import { withoutZone, type OpenFrontend } from './tcp-frontend.ts'
import { openUdpSession, type UdpSession } from './udp-session.ts'

export interface UdpFrontendOptions {
  readonly frontendKey: string
  readonly at: Endpoint
  readonly route: Route
  readonly flows: Flows
  readonly tally: Tally
  readonly clock: Clock
  /** A session that carried nothing for this long is forgotten. */
  readonly idleMs: number
  readonly sessionsMax: number
  /** The last session ended. */
  readonly onIdle: () => void
}

interface Held {
  readonly session: UdpSession
  readonly flow: Flow
}

/** A node that is out and left this many datagrams unanswered has lost the session. */
const unansweredMax = 3

/**
 * Listens at `at` and gives each client address and port a session of its own with one node, so that
 * answers find their way back. Every datagram is judged by the source ranges of its moment: UDP has no
 * connection that could have begun earlier.
 * @throws the bind error, with its `code`.
 */
export const openUdpFrontend = async (options: UdpFrontendOptions): Promise<OpenFrontend> => {
  const { at, frontendKey, route, flows, tally, clock } = options
  const sessions = new Map<string, Held>()
  const closed = new AbortController()
  const isV6 = at.address.includes(':')
  const socket = createSocket({ type: isV6 ? 'udp6' : 'udp4', ipv6Only: isV6 })

  const end = (key: string): void => {
    const held = sessions.get(key)
    if (!held) return
    sessions.delete(key)
    flows.delete(held.flow)
    held.session.close()
    tally.udpSessionsOpen -= 1
    if (sessions.size === 0 && !closed.signal.aborted) options.onIdle()
  }
  const answer = (payload: Buffer, client: RemoteInfo): void => {
    if (closed.signal.aborted) return
    tally.bytesToClients += payload.length
    // An answer that the client no longer wants is lost, as datagrams may be.
    socket.send(payload, client.port, client.address, () => undefined)
  }
  const begin = (key: string, client: RemoteInfo): UdpSession | undefined => {
    if (sessions.size >= options.sessionsMax) {
      tally.deniedByLimit += 1
      return undefined
    }
    const address = withoutZone(client.address)
    const hop = route.choose(frontendKey, address, new Set())
    if (!hop) {
      tally.unserved += 1
      return undefined
    }
    const session = openUdpSession({
      hop,
      source: route.sourceFor(address, hop.ip),
      now: () => clock.now(),
      answer: (payload) => answer(payload, client),
      onBroken: () => {
        tally.connectFailures += 1
        end(key)
      },
    })
    const flow: Flow = { frontend: frontendKey, node: hop.node, cut: () => end(key) }
    sessions.set(key, { session, flow })
    flows.add(flow)
    tally.udpSessions += 1
    tally.udpSessionsOpen += 1
    return session
  }
  const current = (key: string): UdpSession | undefined => {
    const session = sessions.get(key)?.session
    if (!session) return undefined
    if (route.uses(session.node) || session.unanswered < unansweredMax) return session
    end(key)
    return undefined
  }

  socket.on('message', (payload, client) => {
    if (!route.admits(withoutZone(client.address))) {
      tally.deniedBySource += 1
      return
    }
    const key = `${client.address} ${client.port}`
    const session = current(key) ?? begin(key, client)
    if (!session) return
    tally.bytesToNodes += payload.length
    session.send(payload)
  })
  socket.bind({ address: at.address, port: at.port, exclusive: true })
  await once(socket, 'listening')
  // A refused answer comes back as an error of the whole socket; it concerns one client only.
  socket.on('error', () => undefined)

  const forgetIdle = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      await clock.sleep(options.idleMs / 4, closed.signal)
      const quiet = clock.now() - options.idleMs
      for (const [key, { session }] of sessions) if (session.lastAt <= quiet) end(key)
    }
  }
  void forgetIdle()

  return {
    holdsFlows: () => sessions.size > 0,
    close: async () => {
      closed.abort()
      for (const key of sessions.keys()) end(key)
      const { promise, resolve } = Promise.withResolvers<void>()
      socket.close(resolve)
      await promise
    },
  }
}
