import {
  frontendText,
  ipAddress,
  type DesiredResource,
  type ResourceFrontend,
  type ResourceKey,
} from '@weir/contract'
import { explainError, OperatingError, type Clock } from '@weir/kernel'
import { envoyFrontend, envoyName, type EnvoyLimits } from '../../domain/envoy-resources.ts'
import type { WeightedTarget } from '../../domain/usable-targets.ts'
import { refusalOf } from './bind-words.ts'
import type { EnvoyAdmin } from './envoy-admin.ts'
import { shareNext } from './share-next.ts'
import { readTallies } from './tallies.ts'
import type { XdsStore } from './xds-store.ts'

/**
 * The frontends that Envoy has, each in one of two states:
 *
 *   open      takes clients
 *   closing   takes nobody new, and is there for the connections that it has; ends with the last of them, or
 *             at its time. Who connects meanwhile is cut, since Envoy would cut the others with the port.
 *
 * UDP knows no closing: its sessions end with the frontend and begin anew elsewhere.
 */
export interface Frontends {
  /** Opens one, or changes the one that is open. A string says why not. */
  open(wish: FrontendWish): Promise<string | undefined>
  /** Takes no new client from now on. `until` is a time, or undefined for as long as it has connections. */
  close(name: string, until: number | undefined): Promise<void>
  /** Ends it, with its connections. Resolves when nothing of it is left. */
  drop(name: string): Promise<void>
  namesOf(key: ResourceKey): readonly string[]
  /** Those that should take clients. */
  openNames(): readonly string[]
  /** Those that are closing now, to be handed to `endClosed` with what was counted since. */
  closing(): Closing
  /** Drops those that are over. */
  endClosed(closing: Closing, connections: ReadonlyMap<string, number>): Promise<void>
}

export interface FrontendWish {
  readonly desired: DesiredResource
  readonly at: ResourceFrontend
  readonly targets: readonly WeightedTarget[]
}

export interface FrontendsOptions {
  readonly store: XdsStore
  readonly limits: EnvoyLimits
  readonly clock: Clock
  readonly admin: () => EnvoyAdmin
  readonly isAlive: () => boolean
}

/** Each as it was: one that opened and closed again since is another. */
export type Closing = ReadonlyMap<string, object>

interface Frontend extends FrontendWish {
  readonly closing: { readonly until: number | undefined } | undefined
}

/** Envoy answers in milliseconds, but for a cold start with thousands of frontends. */
const answerMs = 20_000
const drainedMs = 2_000

export const createFrontends = (options: FrontendsOptions): Frontends => {
  const { store, limits, clock } = options
  const known = new Map<string, Frontend>()
  const holders = new Map<string, string>()
  const byKey = new Map<ResourceKey, Set<string>>()

  /** A node at a frontend of this very edge would send traffic in a ring. */
  const leadsAway =
    ({ protocol, nodePort }: ResourceFrontend) =>
    ({ ip }: WeightedTarget): boolean =>
      nodePort !== undefined &&
      !holders.has(frontendText({ ip: ipAddress.parse(ip), protocol, port: nodePort }))
  const settled = async (name: string): Promise<string | null> => {
    try {
      return await store.settled(name, AbortSignal.timeout(answerMs))
    } catch (cause) {
      const problem = 'Envoy does not take its configuration; see envoy.log'
      throw new OperatingError(problem, { cause })
    }
  }
  const tell = (name: string, frontend: Frontend): void => {
    const open = frontend.closing === undefined
    known.set(name, frontend)
    const { key } = frontend.desired.marks
    byKey.set(key, (byKey.get(key) ?? new Set()).add(name))
    store.wish(name, envoyFrontend({ ...frontend, limits, open }))
  }
  const forget = (name: string): void => {
    const frontend = known.get(name)
    if (!frontend) return
    const { key } = frontend.desired.marks
    const text = frontendText(frontend.at)
    known.delete(name)
    byKey.get(key)?.delete(name)
    if (byKey.get(key)?.size === 0) byKey.delete(key)
    if (holders.get(text) === name) holders.delete(text)
    store.wish(name, undefined)
  }
  /** A removal that was taken may still be under way in Envoy's threads. */
  const drained = shareNext(async () => {
    const until = clock.now() + drainedMs
    while (clock.now() < until) {
      const stats = await options.admin().stats('^listener_manager\\.total_listeners_draining$')
      if ([...stats.values()].every((count) => count === 0)) return
      await clock.sleep(5)
    }
  })
  const drop = async (name: string): Promise<void> => {
    if (!known.has(name)) return
    forget(name)
    if (!options.isAlive()) return
    await settled(name)
    await drained()
  }
  /** Whoever closes gives way to whoever is ordered. */
  const makeWay = async (text: string, name: string): Promise<string | undefined> => {
    const holder = holders.get(text)
    const held = holder === undefined ? undefined : known.get(holder)
    if (holder === undefined || !held || holder === name) return undefined
    if (held.closing === undefined) {
      return `${text} is in use by resource ${held.desired.marks.key} on this edge; remove it there first`
    }
    await drop(holder)
    return undefined
  }
  const tallies = shareNext(() => readTallies(options.admin()))
  const listening = shareNext(() => options.admin().listeners())
  const isListening = async (name: string): Promise<boolean> => (await listening()).has(name)

  return {
    open: async ({ desired, at, targets }) => {
      const name = envoyName(desired.marks.key, at)
      const text = frontendText(at)
      const before = known.get(name)
      try {
        const inUse = await makeWay(text, name)
        if (inUse !== undefined) return inUse
        holders.set(text, name)
        tell(name, { desired, at, targets: targets.filter(leadsAway(at)), closing: undefined })
        const words = await settled(name)
        if (words === null && (before || (await isListening(name)))) return undefined
        // What was open goes on as it was.
        if (!before) forget(name)
        return refusalOf(text, at.ip, words ?? 'a thread of it cannot listen there')
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
        return `${text} can't be opened: ${explainError(error)}`
      }
    },
    close: async (name, until) => {
      const frontend = known.get(name)
      if (!frontend) return
      if (frontend.at.protocol === 'UDP') return drop(name)
      const { open } = await tallies()
      if ((open.get(name) ?? 0) === 0) return drop(name)
      // A second order does not give it more time.
      tell(name, { ...frontend, closing: { until: until && (frontend.closing?.until ?? until) } })
      await settled(name)
    },
    drop,
    namesOf: (key) => [...(byKey.get(key) ?? [])],
    openNames: () => [...known].filter(([, each]) => !each.closing).map(([name]) => name),
    closing: () => new Map([...known].filter(([, each]) => each.closing)),
    endClosed: async (closing, connections) => {
      const now = clock.now()
      for (const name of closing.keys()) {
        const frontend = known.get(name)
        // A count that is older than the closing would cut who came between.
        if (!frontend?.closing || frontend !== closing.get(name)) continue
        const { until } = frontend.closing
        const isOver = until !== undefined && until <= now
        if (isOver || connections.get(name) === 0) await drop(name)
      }
    },
  }
}
