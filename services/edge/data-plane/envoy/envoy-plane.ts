import {
  frontendText,
  type DesiredResource,
  type EdgeId,
  type EdgeRepair,
  type ResourceFrontend,
  type ResourceKey,
} from '@weir/contract'
import {
  createKeyedQueue,
  explainError,
  OperatingError,
  type Clock,
  type Logger,
} from '@weir/kernel'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { envoyName, type EnvoyLimits } from '../../domain/envoy-resources.ts'
import type { WeightedTarget } from '../../domain/usable-targets.ts'
import type { DataPlane, PlaneCounters, ServeOutcome } from '../data-plane.ts'
import { createRepairs } from '../kernel/repairs.ts'
import type { RunProgram } from '../kernel/run-program.ts'
import { createTally } from '../userspace/tally.ts'
import { serveAds, type AdsServer } from './ads-server.ts'
import { envoyBootstrap } from './bootstrap.ts'
import { cutConnections } from './cut-connections.ts'
import { createFrontends, type Frontends } from './frontends.ts'
import { createNodeDrains, type NodePort } from './node-drains.ts'
import { loadEnvoyApi } from './protos.ts'
import { startEnvoy, type EnvoyProcess } from './start-envoy.ts'
import { flowsByKey, readTallies } from './tallies.ts'
import { createXdsStore, type XdsStore } from './xds-store.ts'

export interface EnvoyPlaneOptions {
  readonly edge: EdgeId
  /** The program, or its name on PATH. */
  readonly program: string
  /** Envoy's folder on this machine, beside the agent's state. */
  readonly folder: string
  /** How long a connection may go on after its node or frontend left the order. */
  readonly drainMs: number
  readonly limits?: Partial<EnvoyLimits>
  readonly clock: Clock
  readonly log: Logger
  readonly run: RunProgram
  /** Threads of Envoy; default: one for each core. */
  readonly workers?: number
  /** How often drains, counters and the process are looked after, ms; default one second. */
  readonly lookMs?: number
}

export interface EnvoyPlane extends DataPlane {
  /** The process as it is now; it goes on when the plane is closed. */
  envoy(): EnvoyProcess
}

export const defaultEnvoyLimits: EnvoyLimits = {
  connectTimeoutMs: 2_000,
  connectAttempts: 3,
  connectionsPerFrontend: 10_000,
  udpSessionsPerFrontend: 4_096,
  udpIdleMs: 60_000,
  waitingBytes: 524_288,
  keepAliveMs: 30_000,
}

/**
 * A proxy in a process of its own that this one feeds by delta ADS. It outlives the agent: the next one
 * is asked by it within a second, and tells only what differs.
 * @throws OperatingError when Envoy does not start, with its last words
 */
export const createEnvoyPlane = async (options: EnvoyPlaneOptions): Promise<EnvoyPlane> => {
  const folder = resolve(options.folder)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { clock, log, program, workers } = options
  const api = loadEnvoyApi()
  const store = createXdsStore(api)
  const path = join(folder, 'ads.sock')
  const onProblem = (problem: string): void => log.warn({ problem }, 'cannot read what Envoy asks')
  const server = await serveAds({ api, store, path, onProblem })
  const bootstrap = envoyBootstrap(options.edge, path)
  const more = workers === undefined ? {} : { workers }
  const start = (): Promise<EnvoyProcess> =>
    startEnvoy({ program, folder, bootstrap, clock, ...more })
  try {
    const envoy = await start()
    const plane = createPlane({ ...options, store, server, envoy, start })
    void plane.look()
    return plane
  } catch (cause) {
    await server.close()
    const remedy = '"npm run binaries -- envoy" gets the program; WEIR_ENVOY names it'
    throw new OperatingError(`cannot forward by Envoy; ${remedy}`, { cause })
  }
}

const verifyMs = 10_000
/** Looks that failed in a row, after which nobody can vouch for what is in force. */
const failedMost = 3

interface Parts extends EnvoyPlaneOptions {
  readonly store: XdsStore
  readonly server: AdsServer
  readonly envoy: EnvoyProcess
  readonly start: () => Promise<EnvoyProcess>
}

interface Served {
  readonly desired: DesiredResource
  readonly targets: readonly WeightedTarget[]
}

const createPlane = (parts: Parts): EnvoyPlane & { look(): Promise<void> } => {
  const { store, server, clock, log, drainMs, lookMs = 1_000 } = parts
  let { envoy } = parts
  let counters: PlaneCounters = createTally()
  let verified = clock.now()
  let failed = 0
  let problem = ''
  const services = new Map<ResourceKey, Served>()
  const queue = createKeyedQueue(Number.MAX_SAFE_INTEGER)
  const drains = createNodeDrains(drainMs, clock)
  const repairs = createRepairs(clock)
  const stop = new AbortController()
  const frontends = createFrontends({
    store,
    clock,
    limits: { ...defaultEnvoyLimits, ...parts.limits },
    admin: () => envoy.admin,
    isAlive: () => envoy.isAlive(),
  })

  const serve = async (
    desired: DesiredResource,
    targets: readonly WeightedTarget[],
  ): Promise<ServeOutcome> => {
    const key = desired.marks.key
    drains.turn(key, services.get(key)?.desired, desired)
    services.set(key, { desired, targets })
    try {
      return await serveFrontends(frontends, { desired, targets }, clock.now() + drainMs)
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error
      return { status: 'refused', problem: explainError(error) }
    }
  }
  const remove = async (key: ResourceKey): Promise<void> => {
    services.delete(key)
    drains.forget(key)
    store.release(key)
    await Promise.all(frontends.namesOf(key).map((name) => frontends.drop(name)))
  }
  const isInUse = ({ ip, nodePort }: NodePort): boolean =>
    [...services.values()].some(
      ({ desired }) =>
        desired.targets.some((target) => target.ip === ip) &&
        desired.frontends.some((at) => at.nodePort === nodePort),
    )
  const revive = async (): Promise<void> => {
    if (envoy.isAlive()) return
    log.error({ pid: envoy.pid }, 'Envoy ended; starting it again')
    envoy = await parts.start()
  }
  /** A listener is lost when a thread of Envoy could not listen, which is not refused but done. */
  const verify = async (): Promise<EdgeRepair | null> => {
    const listeners = await envoy.admin.listeners()
    const lost = frontends.openNames().filter((name) => !listeners.has(name))
    for (const name of lost) store.lost(name)
    return repairs.note(lost.map((name) => `listener ${name}: missing`))
  }
  const lookOnce = async (): Promise<void> => {
    await revive()
    const closing = frontends.closing()
    const tallies = await readTallies(envoy.admin)
    counters = tallies.counters
    await frontends.endClosed(closing, tallies.open)
    if (clock.now() - verified >= verifyMs) {
      verified = clock.now()
      await verify()
    }
    for (const port of drains.over()) if (!isInUse(port)) await cutConnections(port, parts)
  }

  return {
    kind: 'envoy',
    serve: (desired, targets) => queue.run(desired.marks.key, () => serve(desired, targets)),
    remove: (key) => queue.run(key, () => remove(key)),
    releaseUnclaimed: () => Promise.resolve(store.release()),
    inspect: async () => {
      const repaired = await verify()
      const { open } = await readTallies(envoy.admin)
      return { repaired, flows: flowsByKey(services.keys(), open), problem: null }
    },
    repairs: () => repairs.newest(),
    doubt: () => (failed >= failedMost ? `Envoy cannot be looked after: ${problem}` : undefined),
    counters: () => counters,
    envoy: () => envoy,
    close: async () => {
      stop.abort()
      await queue.idle()
      await server.close()
    },
    look: async () => {
      while (!stop.signal.aborted) {
        await clock.sleep(lookMs, stop.signal)
        if (stop.signal.aborted) return
        try {
          await lookOnce()
          failed = 0
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          failed += 1
          problem = explainError(error)
          log.warn({ problem }, 'cannot look after Envoy')
        }
      }
    },
  }
}

/** Closes what left the order and opens what is in it. */
const serveFrontends = async (
  frontends: Frontends,
  { desired, targets }: Served,
  until: number,
): Promise<ServeOutcome> => {
  const key = desired.marks.key
  const carried = desired.frontends.filter((at) => whyNever(at) === undefined)
  const ordered = new Set(carried.map((at) => envoyName(key, at)))
  const held = frontends.namesOf(key)
  const left = held.filter((name) => !ordered.has(name))
  await Promise.all(left.map((name) => frontends.close(name, until)))
  const isEmpty = targets.length === 0
  const idle = isEmpty ? held.filter((name) => ordered.has(name)) : []
  await Promise.all(idle.map((name) => frontends.close(name, undefined)))
  const outcomes = await Promise.all(
    desired.frontends.map(async (at) => ({
      ip: at.ip,
      problem:
        whyNever(at) ?? (isEmpty ? undefined : await frontends.open({ desired, at, targets })),
    })),
  )
  const problems = outcomes.flatMap(({ problem }) => problem ?? [])
  if (problems.length === 0) return { status: 'serving' }
  const addresses = outcomes.filter(({ problem }) => problem === undefined).map(({ ip }) => ip)
  const served = { addresses, nodes: targets.length }
  return { status: 'refused', problem: problems.slice(0, 5).join('; '), served }
}

const whyNever = (at: ResourceFrontend): string | undefined => {
  const text = `${frontendText(at)} can't be opened`
  if (at.protocol === 'SCTP') return `${text}: Envoy carries TCP and UDP, not SCTP`
  return at.nodePort === undefined ? `${text}: Envoy needs a node port, and it has none` : undefined
}
