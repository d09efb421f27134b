import {
  hashOf,
  observationFacts,
  observationKey,
  type Observation,
  type ObservationKind,
  type TenantId,
} from '@weir/contract'
import type { Clock } from '@weir/kernel'
import type { Leases, Observed, Store, Vault, WorkQueue } from './eventlog.ts'
import { createMemoryLog } from './memory-log.ts'
import { createMemoryWork } from './memory-work.ts'
import { isNewer, newestOfEach, objectOf } from './newest-seen.ts'
import type { StorePorts } from './postgres-store.ts'

/** The twin of the Postgres store, with the same promises, for tests and simulation. */
export const createMemoryStore = ({ clock }: StorePorts): Store => {
  const log = createMemoryLog(clock)
  const work = createMemoryWork(clock, log)
  return {
    log: log.log,
    work,
    observed: createMemoryObserved(work),
    leases: createMemoryLeases(clock),
    vault: createMemoryVault(),
    prune: async ({ keepMs, limit }) => {
      const before = clock.now() - keepMs
      return { commands: log.pruneCommands(before, limit), work: work.prune(before, limit) }
    },
    ping: async () => undefined,
    schemaProblem: async () => null,
    close: async () => undefined,
  }
}

const createMemoryObserved = (work: WorkQueue): Observed => {
  /** By consumer and object: each consumer must be told of a change. */
  const kept = new Map<string, Observation>()
  const newest = <K extends ObservationKind>(kind: K): Extract<Observation, { kind: K }>[] => {
    const byObject = new Map<string, Extract<Observation, { kind: K }>>()
    for (const seen of kept.values()) {
      if (!isKind(seen, kind)) continue
      const other = byObject.get(objectOf(seen))
      if (other === undefined || isNewer(seen, other)) byObject.set(objectOf(seen), seen)
    }
    return [...byObject.values()]
  }
  return {
    store: async (consumer, seen) => {
      const changed: Observation[] = []
      for (const { seen: one, keys } of newestOfEach(seen)) {
        const at = `${consumer} ${objectOf(one)}`
        const before = kept.get(at)
        if (before !== undefined && !isNewer(one, before)) continue
        kept.set(at, structuredClone(one))
        if (before !== undefined && factsHash(before) === factsHash(one)) continue
        changed.push(one)
        await work.mark(consumer, one.tenant, keys)
      }
      return changed
    },
    get: async (at) =>
      newest(at.kind).find(
        (seen) =>
          seen.tenant === at.tenant &&
          seen.cluster === at.cluster &&
          observationKey(seen) === at.key,
      ),
    list: async (at) =>
      newest(at.kind)
        .filter((seen) => seen.tenant === at.tenant && seen.cluster === at.cluster)
        .sort((a, b) => (observationKey(a) < observationKey(b) ? -1 : 1)),
  }
}

const factsHash = (seen: Observation): string => hashOf(observationFacts(seen))

const isKind = <K extends ObservationKind>(
  seen: Observation,
  kind: K,
): seen is Extract<Observation, { kind: K }> => seen.kind === kind

const createMemoryLeases = (clock: Clock): Leases => {
  const leases = new Map<string, { holder: string; until: number; fence: number }>()
  return {
    take: async (name, holder, leaseMs) => {
      const now = clock.now()
      const lease = leases.get(name) ?? { holder: '', until: 0, fence: 0 }
      if (lease.holder !== holder && lease.until > now) return undefined
      const fence = lease.holder === holder ? lease.fence : lease.fence + 1
      leases.set(name, { holder, until: now + leaseMs, fence })
      return { fence }
    },
    release: async (name, holder) => {
      const lease = leases.get(name)
      if (lease?.holder === holder) leases.set(name, { ...lease, holder: '', until: 0 })
    },
  }
}

const createMemoryVault = (): Vault => {
  const documents = new Map<string, { tenant: TenantId; name: string; value: Uint8Array }>()
  const at = (tenant: string, name: string): string => `${tenant} ${name}`
  return {
    put: async (tenant, name, value) => {
      documents.set(at(tenant, name), { tenant, name, value: new Uint8Array(value) })
    },
    get: async (tenant, name) => {
      const found = documents.get(at(tenant, name))
      return found === undefined ? undefined : new Uint8Array(found.value)
    },
    list: async (prefix) =>
      [...documents.values()]
        .filter(({ name }) => name.startsWith(prefix))
        .sort((a, b) => (at(a.tenant, a.name) < at(b.tenant, b.name) ? -1 : 1))
        .map(({ tenant, name }) => ({ tenant, name })),
    remove: async (tenant, name) => void documents.delete(at(tenant, name)),
  }
}
