import {
  clusterId,
  tenantId,
  type InstallationId,
  type Observation,
  type RecordedEvent,
  type TenantId,
} from '@weir/contract'
import { RateUsedUp, type ProviderChange } from '@weir/drivers'
import type { Store, WorkItem } from '@weir/eventlog'
import {
  createKeyedQueue,
  explainError,
  OperatingError,
  type Clock,
  type Ids,
  type Logger,
} from '@weir/kernel'
import type { Trace } from '@weir/runtime'
import { clusterFactsAgeMs, createClusterFacts } from './cluster-facts.ts'
import { foldStory, livingOf } from './domain/fold.ts'
import { parkedEvent } from './domain/park.ts'
import type { Look } from './domain/step.ts'
import { drive, IncarnationFailed, type DrivePorts, type Told } from './drive.ts'
import { reachNothing, type Reach } from './fault-points.ts'
import type { Absences, Drivers } from './knowledge.ts'
import { createMemory, isCurrent, type Remembered } from './remembered.ts'

/** The name under which the provisioner reads the log and keeps its work. */
export const consumer = 'provisioner'

export interface ProvisionerPorts {
  readonly store: Pick<Store, 'log' | 'observed' | 'work'>
  readonly drivers: Drivers
  readonly installation: InstallationId
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly trace: Pick<Trace, 'span' | 'current'>
  /** How often a healthy resource is looked at for drift, milliseconds; default 30,000. */
  readonly lookEveryMs?: number
  /** Services kept in memory; default 20,000. */
  readonly capacity?: number
  /** Is told of places at which a test may end the process. */
  readonly reach?: Reach
}

export interface Provisioner {
  /** The work that an event makes. */
  readonly keysOf: (event: RecordedEvent) => readonly string[]
  /** The work that an observation makes; nothing for those that others care for. */
  readonly keysOfObservation: (seen: Observation) => readonly string[]
  /** Brings one key up to its story. Rejects with an OperatingError when the world failed. */
  readonly reconcile: (item: WorkItem) => Promise<{ readonly againInMs?: number }>
  /** A provider may have moved: if this process began it, it confirms it, without the work queue. */
  readonly changed: (change: ProviderChange) => Promise<void>
  /**
   * The bus lost everything: what this process told is told again at once, and what other processes
   * told before they ended when it is next looked at.
   */
  readonly tellAgain: () => Promise<void>
}

/** Ten failures in a row; from then on once an hour, and at once on any change. */
const parkAfter = 10
const parkedRetryMs = 3_600_000
/** Whoever names a wait, such as a provider that is away, is asked again this soon all the same. */
const awayRetryMs = 60_000

const wishes: readonly RecordedEvent['type'][] = [
  'FrontendsAllocated',
  'LoadBalancerChanged',
  'DriverChanged',
  'ReleaseRequested',
]
const clusterChanges: readonly RecordedEvent['type'][] = ['ClusterConnected', 'ClusterChanged']
const clusterPrefix = 'cluster-'

export const createProvisioner = (ports: ProvisionerPorts): Provisioner => {
  const { store, clock } = ports
  const memory = createMemory(ports.capacity ?? 20_000)
  const queue = createKeyedQueue(256)
  const drivePorts: DrivePorts = {
    log: store.log,
    observed: store.observed,
    clusterFacts: createClusterFacts({ log: store.log, observed: store.observed, clock }),
    drivers: ports.drivers,
    installation: ports.installation,
    clock,
    trace: ports.trace,
    reach: ports.reach ?? reachNothing,
  }
  const fanOut = createFanOut(ports)
  const wait = waitOf(ports)

  const reconcileService = async (item: WorkItem): Promise<{ readonly againInMs?: number }> => {
    const name = `${item.tenant}/${item.key}`
    const known = memory.get(name)
    const folded = known !== undefined && isCurrent(known, item) ? known.folded : undefined
    const absences: Absences = new Map(known?.absences)
    const arrival = await drive(drivePorts, {
      tenant: item.tenant,
      service: item.key,
      folded,
      told: confirmedOf(known),
      absences,
      replan: true,
    })
    const { mark, fence } = item
    memory.set(name, { folded: arrival.folded, told: arrival.told, absences, mark, fence })
    return wait(arrival.look)
  }

  return {
    keysOf: (event) => {
      if (clusterChanges.includes(event.type)) return [clusterPrefix + event.correlationid]
      const others = event.subject.startsWith('resource-') && event.actor !== consumer
      const matters = wishes.includes(event.type) || others || showsMove(event)
      return matters ? [event.correlationid] : []
    },
    keysOfObservation: (seen) => {
      if (seen.kind === 'nodes') return [clusterPrefix + seen.cluster]
      return seen.kind === 'endpoints' ? [seen.serviceUid] : []
    },
    reconcile: async (item) => {
      if (item.key.startsWith(clusterPrefix)) return fanOut(item)
      try {
        return await queue.run(`${item.tenant}/${item.key}`, () => reconcileService(item))
      } catch (error) {
        return await giveUp(ports, item, error)
      }
    },
    changed: ({ tenant, service }) =>
      queue.run(`${tenant}/${service}`, async () => {
        const known = memory.get(`${tenant}/${service}`)
        if (known === undefined) return
        const { folded, told, absences } = known
        const at = { tenant: tenantId.parse(tenant), service }
        try {
          const arrival = await drive(drivePorts, { ...at, folded, told, absences, replan: false })
          memory.set(`${tenant}/${service}`, { ...known, ...arrival })
        } catch (error) {
          if (!(error instanceof OperatingError)) throw error
          // The key is still due in the work queue, which tries again and counts the failures.
          ports.logger.warn({ ...at, problem: explainError(error) }, 'cannot confirm a change now')
        }
      }),
    tellAgain: () => tellAgain(ports, memory.untell()),
  }
}

/** No first incarnation replaces another, so most Services cost nothing here. */
const showsMove = (event: RecordedEvent): boolean =>
  event.type === 'StatusPublished' && event.data.epoch > 1

/** What still waits for an answer is told again; what was confirmed is not, in this process. */
const confirmedOf = (known: Remembered | undefined): Told => {
  if (known === undefined) return new Map()
  const programmed = livingOf(known.folded).filter(({ status }) => status === 'Programmed')
  return new Map([...known.told].filter(([told]) => programmed.some(({ epoch }) => epoch === told)))
}

const tellAgain = async (
  { store, logger }: ProvisionerPorts,
  names: readonly string[],
): Promise<void> => {
  const split = names.map((name) => name.split('/'))
  try {
    for (const [tenant = '', own] of Map.groupBy(split, ([tenant]) => tenant)) {
      const keys = own.map(([, service = '']) => service)
      await store.work.mark(consumer, tenantId.parse(tenant), keys)
    }
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    logger.warn({ problem: explainError(error) }, 'orders are told again at the next routine look')
  }
}

const waitOf =
  ({ ids, lookEveryMs = 30_000 }: ProvisionerPorts) =>
  (look: Look): { readonly againInMs?: number } => {
    switch (look.when) {
      case 'soon':
        return { againInMs: look.afterMs }
      case 'routine':
        return { againInMs: Math.round(lookEveryMs * (0.75 + ids.random() / 2)) }
      case 'called':
        return {}
      default:
        return look satisfies never
    }
  }

/** Changes of a cluster that go on without a pause wait together no longer than this. */
const fanOutMostMs = 2000

/**
 * Turns one change of a cluster into work for each Service that it has. Changes that come close together
 * become one, and no sooner than every process has forgotten the facts from before the last of them.
 */
const createFanOut = ({ store, clock }: ProvisionerPorts) => {
  const waiting = new Map<string, { readonly first: number; last: number; mark: number }>()
  const debounceMs = 2 * clusterFactsAgeMs
  const waitingFor = (name: string, mark: number) => {
    const now = clock.now()
    const known = waiting.get(name)
    // What waited here before may have been done by another process: that is over.
    if (known === undefined || now - known.last > fanOutMostMs) {
      const fresh = { first: now, last: now, mark }
      waiting.set(name, fresh)
      return fresh
    }
    if (known.mark !== mark) known.last = now
    known.mark = mark
    return known
  }
  return async ({ tenant, key, mark }: WorkItem): Promise<{ readonly againInMs?: number }> => {
    const name = `${tenant}/${key}`
    const { first, last } = waitingFor(name, mark)
    const left = Math.min(last + debounceMs, first + fanOutMostMs) - clock.now()
    if (left > 0) return { againInMs: left }
    const cluster = clusterId.parse(key.slice(clusterPrefix.length))
    const services = await store.observed.list({ tenant, cluster, kind: 'service' })
    const present = services.filter(({ phase }) => phase === 'present')
    const keys = present.map(({ serviceUid }) => serviceUid)
    if (keys.length > 0) await store.work.mark(consumer, tenant, keys)
    waiting.delete(name)
    return {}
  }
}

/**
 * Records once that ten attempts failed, and fails with the wait that fits. A share of a rate that is used
 * up is no failure: a busy account would else have everything of it given up within a second.
 */
const giveUp = async (
  ports: ProvisionerPorts,
  item: WorkItem,
  error: unknown,
): Promise<{ readonly againInMs: number }> => {
  const failure = error instanceof IncarnationFailed ? error.failure : error
  if (failure instanceof RateUsedUp) return { againInMs: failure.afterMs }
  const attempts = item.attempts + 1
  if (!(error instanceof OperatingError) || attempts < parkAfter) throw error
  const problem = explainError(error)
  const epoch = error instanceof IncarnationFailed ? error.epoch : undefined
  await park(ports, item, { attempts, problem, epoch })
  throw new OperatingError(`gave up on ${item.key} for now`, {
    cause: error,
    retry: { afterMs: error.retry === undefined ? parkedRetryMs : awayRetryMs },
  })
}

interface Failure {
  readonly attempts: number
  readonly problem: string
  /** The incarnation that failed; undefined for the newest. */
  readonly epoch: number | undefined
}

const park = async (
  { store, logger }: ProvisionerPorts,
  { tenant, key: service }: { readonly tenant: TenantId; readonly key: string },
  { epoch, ...failure }: Failure,
): Promise<void> => {
  try {
    const living = livingOf(foldStory(await store.log.story(tenant, service)))
    const state = living.find((each) => each.epoch === epoch) ?? living.at(-1)
    const event = state && parkedEvent(state, failure)
    if (state === undefined || event === undefined) return
    const { stream, version, cause } = state
    await store.log.append({
      tenant,
      commandId: `provisioner/${stream}/${version}/parked`,
      events: [{ stream, expectedVersion: version, event }],
      actor: consumer,
      correlationId: service,
      causationId: cause.eventId,
    })
  } catch (error) {
    // The log itself may be what is away; the next failure records it.
    logger.warn({ tenant, service, problem: explainError(error) }, 'cannot record a parked key')
  }
}
