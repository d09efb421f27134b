import type { ResourceKey } from '@weir/contract'
import type { Clock, Ids } from '@weir/kernel'
import {
  afterProbe,
  healthRules,
  looksSame,
  neverProbed,
  type HealthRules,
  type NodeHealth,
} from '../domain/health.ts'
import type { Probe } from './ask-node.ts'
import { createTurns } from './turns.ts'

/** Knows how nodes are, by asking each (node, port) once however many resources want to know. */
export interface Prober {
  /** What `watcher` wants to know from now on, instead of what it wanted before. Asks new ones at once. */
  watch(watcher: ResourceKey, probes: readonly Probe[]): void
  healthOf(probe: Probe): NodeHealth
  close(): void
}

export interface ProberOptions {
  readonly clock: Clock
  readonly ids: Ids
  /** Called with the watchers of a probe whose state, weight or problem changed. */
  readonly onChange: (watchers: ReadonlySet<ResourceKey>) => void
  readonly intervalMs?: number
  readonly timeoutMs?: number
  readonly rules?: HealthRules
}

interface Watched {
  readonly watchers: Set<ResourceKey>
  readonly stop: AbortController
  health: NodeHealth
}

const keyOf = (probe: Probe): string =>
  `${probe.ip} ${probe.port} ${probe.weightFromHeader} ${probe.path}`

export const createProber = (options: ProberOptions): Prober => {
  const { clock, ids, onChange, intervalMs = 2_000, timeoutMs = 1_000 } = options
  const { rules = healthRules } = options
  const watched = new Map<string, Watched>()
  const wants = new Map<ResourceKey, ReadonlySet<string>>()
  const turns = createTurns({ clock, timeoutMs })

  // Each probe waits for its own answer, so no more of them wait than there are.
  const askForEver = async (key: string, probe: Probe, entry: Watched): Promise<void> => {
    const { signal } = entry.stop
    // What began together is spread over the interval at once, and jitter keeps it, and other edges, apart.
    for (let shortest = 0, widest = 1; !signal.aborted; shortest = 0.8, widest = 0.4) {
      const answer = await turns.ask(key, probe)
      if (signal.aborted) break
      const before = entry.health
      entry.health = afterProbe(before, answer, { rules, now: clock.now() })
      if (!looksSame(before, entry.health)) onChange(entry.watchers)
      await clock.sleep(intervalMs * (shortest + widest * ids.random()), signal)
    }
    turns.forget(key)
  }
  const leave = (watcher: ResourceKey, key: string): void => {
    const entry = watched.get(key)
    entry?.watchers.delete(watcher)
    if (!entry || entry.watchers.size > 0) return
    entry.stop.abort()
    watched.delete(key)
  }
  const join = (watcher: ResourceKey, key: string, probe: Probe): void => {
    const known = watched.get(key)
    if (known) return void known.watchers.add(watcher)
    const entry: Watched = {
      watchers: new Set([watcher]),
      stop: new AbortController(),
      health: neverProbed,
    }
    watched.set(key, entry)
    void askForEver(key, probe, entry)
  }

  return {
    watch: (watcher, probes) => {
      const wanted = new Map(probes.map((probe) => [keyOf(probe), probe]))
      for (const [key, probe] of wanted) join(watcher, key, probe)
      for (const key of wants.get(watcher) ?? []) if (!wanted.has(key)) leave(watcher, key)
      if (wanted.size === 0) wants.delete(watcher)
      else wants.set(watcher, new Set(wanted.keys()))
    },
    healthOf: (probe) => watched.get(keyOf(probe))?.health ?? neverProbed,
    close: () => {
      for (const entry of watched.values()) entry.stop.abort()
      watched.clear()
      wants.clear()
    },
  }
}
