import {
  serviceUid,
  streamOf,
  type ClusterId,
  type DomainEvent,
  type RecordedEvent,
  type ServiceUid,
  type TenantId,
} from '@weir/contract'
import type { Store, WorkItem } from '@weir/eventlog'
import { OperatingError, type Clock, type Logger } from '@weir/kernel'
import type { SeenService, ServiceRef, Written } from '@weir/kube'
import type { Metrics, Trace } from '@weir/runtime'
import { announcements } from './domain/announce.ts'
import { decide, type Plan, type Write } from './domain/decide.ts'
import { foldStory, type Home, type Story } from './domain/fold.ts'
import type { Registry } from './registry.ts'
import { shownText, type Desk, type Desks } from './desk.ts'

/** The name under which the watcher reads the log and keeps its work. */
export const consumer = 'watcher'

export interface ReconcilePorts {
  readonly store: Pick<Store, 'log' | 'observed'>
  readonly desks: Desks
  readonly registry: Pick<Registry, 'find' | 'list'>
  readonly clock: Clock
  readonly logger: Logger
  readonly trace: Pick<Trace, 'span'>
  readonly metrics: Pick<Metrics, 'stage'>
}

// Our own events and what others do on the way change nothing on the Service.
const matters: readonly RecordedEvent['type'][] = [
  'LoadBalancerRequested',
  'FrontendsAllocated',
  'DriverChanged',
  'PoolMissing',
  'PoolExhausted',
  'AddressNotInPool',
  'AddressTaken',
  'FrontendTaken',
  'ProtocolUnsupported',
  'FamilyUnsupported',
  'IntentInvalid',
  'ReleaseRequested',
  'ResourceProgrammed',
  'ResourceRefused',
  'ResourceAbsent',
  'ReconcileParked',
]

/** The Services an event is about, when it may change what is written on them. */
export const keysOf = (event: RecordedEvent): readonly string[] =>
  matters.includes(event.type) ? [event.correlationid] : []

/** A Service changes under our hands so often at most before the key goes back to the queue. */
const roundsMost = 5
/** Whoever paused, or waited for its turn or for an API server, reads the story again. */
const storyAgeMs = 2000
const leftAttempts = 10

/** The Service to look at, and how many times that has failed. */
type Asked = Pick<WorkItem, 'tenant' | 'key' | 'attempts'>

/**
 * Brings what is written on one Service to what its story says. Whoever saw it in a cluster may say where;
 * else its story does, or what was observed.
 */
export const createReconcile = (ports: ReconcilePorts) => {
  const { store, desks, logger } = ports

  /** Where a Service is that was never asked for: in a cluster watched here, or where it was seen. */
  const whereSeen = async (tenant: TenantId, uid: ServiceUid): Promise<Home | undefined> => {
    for (const { cache, known } of desks.open()) {
      const seen = known.tenant === tenant ? cache.get(uid) : undefined
      if (seen !== undefined) return { ...seen, cluster: known.cluster.id }
    }
    const own = (await ports.registry.list()).filter((known) => known.tenant === tenant)
    let gone: Home | undefined
    for (const { cluster } of own) {
      const at = { tenant, cluster: cluster.id, kind: 'service', key: uid } as const
      const seen = await store.observed.get(at)
      if (seen !== undefined && seen.phase !== 'gone') return seen
      gone ??= seen
    }
    return gone
  }

  return async (item: Asked, at?: Home): Promise<{ readonly againInMs?: number }> => {
    const { tenant } = item
    const uid = serviceUid.parse(item.key)
    const readAt = ports.clock.now()
    const events = await store.log.story(tenant, uid)
    const story = foldStory(events)
    const home = story.home ?? at ?? (await whereSeen(tenant, uid))
    if (home === undefined) return {}
    const desk = await desks
      .at(tenant, home.cluster)
      .catch((error: unknown) => giveUpOnLeft(ports, item, home, error))
    if (desk === undefined) return {}
    const { namespace, name } = desk.cache.get(uid) ?? home
    const ref: ServiceRef = { uid, namespace, name }
    const parent = events.findLast((event) => keysOf(event).length > 0)
    const work: Work = { ports, desk, at: ref, tenant, served: await isServed(ports, desk, story) }
    return desk.queue.run(uid, () =>
      ports.trace.span(
        'write service',
        { parent: parent?.traceparent, kind: 'consumer', attributes: { service: uid } },
        async ({ traceparent }) => {
          const settled = await settle(work, { story, readAt }, traceparent)
          note(work, parent, settled.wrote)
          tellEvents(work, story)
          logger.debug({ tenant, service: uid, wrote: settled.wrote }, 'reconciled')
          return settled.againInMs === undefined ? {} : { againInMs: settled.againInMs }
        },
      ),
    )
  }
}

/**
 * A cluster that is served no longer may never answer again. The log does not wait for its finalizers,
 * so after a fair number of attempts neither do we.
 * @throws what was caught, in every other case.
 */
const giveUpOnLeft = async (
  { registry, logger }: ReconcilePorts,
  { tenant, key, attempts }: Asked,
  home: Home,
  error: unknown,
): Promise<undefined> => {
  const known = await registry.find(tenant, home.cluster)
  if (known?.served !== false || attempts < leftAttempts) throw error
  logger.warn({ tenant, service: key, error }, 'its cluster is gone; finalizers may be left there')
}

/** A desk may have been opened before its cluster left, so where it counts the log is asked. */
const isServed = async (
  { registry }: ReconcilePorts,
  { known }: Desk,
  { life }: Story,
): Promise<boolean> => {
  if (life !== undefined && !life.releasing) return known.served
  return (await registry.find(known.tenant, known.cluster.id))?.served ?? false
}

interface Work {
  readonly ports: ReconcilePorts
  readonly desk: Desk
  readonly at: ServiceRef
  readonly tenant: TenantId
  readonly served: boolean
}

interface Settled {
  readonly wrote: boolean
  readonly againInMs: number | undefined
}

/** Decides, writes, and decides again on what is there now if the Service moved meanwhile. */
const settle = async (
  work: Work,
  asRead: { readonly story: Story; readonly readAt: number },
  traceparent: string,
): Promise<Settled> => {
  const { desk, at, ports } = work
  let { story, readAt } = asRead
  let seen = desk.cache.get(at.uid) ?? (await desk.writer.read(at))
  let wrote = false
  for (let round = 1; round <= roundsMost; round += 1) {
    const leavingIsKnown = await isLeavingKnown(work, story, seen)
    // A life may have begun meanwhile: that there is none is told by a story that was read after.
    if (leavingIsKnown || Math.abs(ports.clock.now() - readAt) > storyAgeMs) {
      readAt = ports.clock.now()
      story = foldStory(await ports.store.log.story(work.tenant, at.uid))
    }
    const { served } = work
    const plan = decide({ story, seen, served, leavingIsKnown, now: ports.clock.now() })
    const written = plan.write && (await write(work, plan.write, seen))
    if (written?.status === 'changed') {
      seen = await desk.writer.read(at)
      continue
    }
    if (written?.status === 'gone' && seen !== undefined) {
      desk.wrote.delete(at.uid)
      seen = undefined
      continue
    }
    if (written?.status === 'refused') return refused(work, written.problem)
    if (written?.status === 'written') {
      wrote = true
      // Only a watch keeps it up to date: what nobody feeds is read each time.
      if (desk.cache.get(at.uid) !== undefined) desk.cache.put(written.service)
      desk.wrote.set(at.uid, shownText(written.service))
      if (!written.service.held) desk.released.add(at.uid)
    }
    await record(work, story, plan, traceparent)
    return { wrote, againInMs: plan.againInMs }
  }
  throw new OperatingError(`${at.namespace}/${at.name} changes faster than it can be written`, {
    retry: { afterMs: 500 },
  })
}

const write = (
  { desk: { writer }, at }: Work,
  how: Write,
  seen: SeenService | undefined,
): Promise<Written> =>
  how.kind === 'tell'
    ? writer.tell(at, how)
    : writer.release(at, { ...how, resourceVersion: seen?.resourceVersion ?? '' })

// A status is refused when the type has just changed: the change itself brings the next decision.
const refused = ({ ports, at }: Work, problem: string): Settled => {
  ports.logger.info(
    { service: at.uid, problem },
    'the API server refused a write; waiting for news',
  )
  return { wrote: false, againInMs: 30_000 }
}

const isLeavingKnown = async (
  { ports, desk, at, tenant, served }: Work,
  story: Story,
  seen: SeenService | undefined,
): Promise<boolean> => {
  const leaving = seen !== undefined && (seen.deleting || !seen.wanted || !served)
  if (!leaving || story.life !== undefined || !seen.held) return false
  if (!served) return true
  const cluster: ClusterId = desk.known.cluster.id
  const key = { tenant, cluster, kind: 'service', key: at.uid } as const
  const kept = await ports.store.observed.get(key)
  return kept !== undefined && kept.phase !== 'present'
}

const record = async (
  { ports, at, tenant }: Work,
  story: Story,
  { events }: Plan,
  traceparent: string,
): Promise<void> => {
  if (events.length === 0) return
  const stream = streamOf('status', at.uid)
  const outcome = await ports.store.log.append({
    tenant,
    commandId: commandId(at.uid, story.version, events),
    events: events.map((event) => ({ stream, expectedVersion: story.version, event })),
    actor: consumer,
    correlationId: at.uid,
    causationId: `service:${at.uid}`,
    traceparent,
  })
  if (outcome.status === 'appended' || outcome.status === 'repeated') return
  // The write stands; what it means is decided again on the story as it is now.
  throw new OperatingError(`somebody else wrote to ${stream}`, { retry: { afterMs: 0 } })
}

const commandId = (uid: string, version: number, events: readonly DomainEvent[]): string =>
  `${consumer}/${uid}/${version}/${events.map(({ type }) => type).join('+')}`

const note = ({ ports }: Work, cause: RecordedEvent | undefined, wrote: boolean): void => {
  if (!wrote || cause?.type !== 'ResourceProgrammed') return
  const seconds = (ports.clock.now() - Date.parse(cause.recordedtime)) / 1000
  ports.metrics.stage('programmed-to-status', Math.max(0, seconds))
}

const tellEvents = ({ desk, at, ports }: Work, { life }: Story): void => {
  if (life === undefined) return
  for (const told of announcements(life, ports.clock.now()))
    desk.recorder.record({ ...told, about: at })
}
