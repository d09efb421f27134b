// The verdict, from what was read past all of weir's own code: API objects, the log, what exists at each
// provider, and what was changed there. Pure, so that it can be tested with planted crimes.
import type { Change, Owner, Thing } from './providers/provider.ts'

/** An event of the tenant's log, as its row says. */
export interface LogEvent {
  readonly sequence: number
  readonly type: string
  /** The Service's UID. */
  readonly story: string
  /** When the log took it, milliseconds since the epoch. */
  readonly at: number
  readonly data: Readonly<Record<string, unknown>>
}

export interface ServiceObject {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly deletionTimestamp?: string
    readonly finalizers?: readonly string[]
  }
  readonly spec: {
    readonly type: string
    readonly loadBalancerClass?: string
    readonly ports: readonly { readonly port: number }[]
  }
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } }
}

export interface Evidence {
  readonly installation: string
  readonly services: readonly ServiceObject[]
  readonly log: readonly LogEvent[]
  readonly providers: readonly {
    readonly name: string
    readonly things: readonly Thing[]
    readonly changes: readonly Change[]
  }[]
  /** Services that still hold an address or a frontend, by UID. */
  readonly holders: readonly string[]
}

/** What is wrong, a sentence each. */
export interface Verdict {
  /** Exists, or is held, without a Service that wants it. */
  readonly leaked: readonly string[]
  /** Gone though a Service wants it, or deleted before the log had a reason. */
  readonly wronglyDeleted: readonly string[]
  /** A Service that is neither served nor gone. */
  readonly stuck: readonly string[]
  /** Made before the log had its intent. */
  readonly unintended: readonly string[]
}

export const judge = (evidence: Evidence): Verdict => {
  const stories = storiesOf(evidence.log)
  return {
    leaked: leaks(evidence),
    wronglyDeleted: [...missing(evidence), ...unexplained(evidence, stories)],
    stuck: stuck(evidence),
    unintended: unintended(evidence, stories),
  }
}

export const isClean = (verdict: Verdict): boolean =>
  Object.values(verdict).every((each: readonly string[]) => each.length === 0)

const finalizer = 'weir.dev/load-balancer-cleanup'

const driverOf = ({ spec }: ServiceObject): string =>
  (spec.loadBalancerClass ?? 'weir.dev/edge').replace('weir.dev/', '')

const wants = (service: ServiceObject): boolean =>
  service.spec.type === 'LoadBalancer' && service.metadata.deletionTimestamp === undefined

const wanted = ({ services }: Evidence): Map<string, ServiceObject> =>
  new Map(services.filter(wants).map((each) => [each.metadata.uid, each]))

const leaks = (evidence: Evidence): string[] => {
  const living = wanted(evidence)
  const things = evidence.providers.flatMap(({ name, things: all }) => {
    const wholes = new Map<string, number>()
    return all.flatMap(({ kind, ref, owner, whole }) => {
      if (owner?.installation !== evidence.installation) return []
      const service = living.get(owner.service)
      const what = `${name}: ${kind} ${ref} of Service ${owner.service}, epoch ${owner.epoch}`
      if (service === undefined) return [`${what}, which wants nothing`]
      if (driverOf(service) !== name) return [`${what}, which has moved to ${driverOf(service)}`]
      const epoch = newestEpoch(evidence.log, owner.key)
      if (owner.epoch !== epoch) return [`${what}, whose epoch is ${epoch}`]
      const count = (wholes.get(owner.key) ?? 0) + (whole ? 1 : 0)
      wholes.set(owner.key, count)
      return whole && count > 1 ? [`${what}, which has ${count} of them`] : []
    })
  })
  const holders = evidence.holders
    .filter((holder) => !living.has(holder))
    .map((holder) => `the log: Service ${holder} is gone and still holds an address`)
  return [...things, ...holders]
}

const newestEpoch = (log: readonly LogEvent[], key: string): number => {
  const newest = log.findLast(
    ({ type, data }) => type === 'ResourceIntended' && data['key'] === key,
  )
  return Number(newest?.data['epoch'] ?? 0)
}

/** A Service that is shown as served, and nobody serves all of its ports. */
const missing = (evidence: Evidence): string[] =>
  evidence.services.filter(wants).flatMap((service) => {
    const { name, uid } = service.metadata
    const driver = driverOf(service)
    const things = evidence.providers.find((each) => each.name === driver)?.things ?? []
    const found = things.find(({ owner, whole }) => whole && owner?.service === uid)
    if (!isShown(service)) return []
    if (found === undefined)
      return [`${driver}: nothing serves ${name} (${uid}), whose status says so`]
    const [asked, open] = [service.spec.ports.map(({ port }) => port), found.ports]
    const gone = asked.filter((port) => open?.includes(port) === false)
    const more = (open ?? []).filter((port) => !asked.includes(port))
    return [
      ...gone.map((port) => `${driver}: port ${port} of ${name} (${uid}) is not served`),
      ...more.map(
        (port) => `${driver}: port ${port} of ${name} (${uid}) is served and not asked for`,
      ),
    ]
  })

const isShown = ({ status }: ServiceObject): boolean =>
  (status?.loadBalancer?.ingress ?? []).length > 0

const stuck = ({ services }: Evidence): string[] =>
  services.flatMap((service) => {
    const { name, uid, deletionTimestamp, finalizers = [] } = service.metadata
    const what = `${name} (${uid}) of ${driverOf(service)}`
    if (deletionTimestamp !== undefined) {
      return [
        `${what} is being deleted since ${deletionTimestamp}, held by ${finalizers.join(', ')}`,
      ]
    }
    if (wants(service)) return isShown(service) ? [] : [`${what} has no address`]
    if (finalizers.includes(finalizer))
      return [`${what} is no load balancer and carries our finalizer`]
    return isShown(service) ? [`${what} is no load balancer and shows an address`] : []
  })

type Stories = ReadonlyMap<string, readonly LogEvent[]>

const storiesOf = (log: readonly LogEvent[]): Stories => {
  const stories = new Map<string, LogEvent[]>()
  for (const event of log) {
    const story = stories.get(event.story) ?? []
    story.push(event)
    stories.set(event.story, story)
  }
  return stories
}

const before = (stories: Stories, owner: Owner, at: number): LogEvent[] =>
  (stories.get(owner.service) ?? []).filter((event) => event.at <= at)

const of = (owner: Owner, { data }: LogEvent): boolean =>
  data['key'] === owner.key && Number(data['epoch']) >= owner.epoch

const intends = (owner: Owner, event: LogEvent): boolean =>
  event.type === 'ResourceIntended' && of(owner, event)

/** Every delete needs its intent in the log before it, and the intent its reason before that. */
const unexplained = (evidence: Evidence, stories: Stories): string[] =>
  changesOf(evidence, 'delete').flatMap(({ name, change }) => {
    const { owner, kind, ref, at, whole } = change
    const what = `${name}: ${kind} ${ref} was deleted at ${time(at)}`
    if (owner === null) return whole ? [`${what}, and nobody knows whose it was`] : []
    const past = before(stories, owner, at)
    const told = past.some(
      ({ type, data }) =>
        (type === 'OrphanCondemned' || type === 'ResourceDiscarded') && data['ref'] === ref,
    )
    const intent = past.find((e) => e.type === 'ResourceDeleteIntended' && of(owner, e))
    if (told) return []
    // A part may go because the whole has changed, by an intent that is in the log too.
    const changed = past.filter((e) => intends(owner, e)).length > 1
    if (intent === undefined) {
      return !whole && changed ? [] : [`${what}, epoch ${owner.epoch}, with no intent in the log`]
    }
    const reason = reasonFor(past, intent)
    return reason ? [] : [`${what}: the log has no reason for "${String(intent.data['reason'])}"`]
  })

/** Whether the log has what the intent claims, before it. */
const reasonFor = (past: readonly LogEvent[], intent: LogEvent): boolean => {
  const earlier = past.filter(({ sequence }) => sequence < intent.sequence)
  const has = (...types: string[]): boolean => earlier.some(({ type }) => types.includes(type))
  switch (intent.data['reason']) {
    case 'released':
      return has('ReleaseRequested')
    case 'moved':
      return has('DriverChanged', 'LoadBalancerChanged')
    case 'orphan':
      return has('OrphanCondemned', 'ReleaseRequested')
    default:
      return false
  }
}

const unintended = (evidence: Evidence, stories: Stories): string[] =>
  changesOf(evidence, 'create').flatMap(({ name, change }) => {
    const { owner, kind, ref, at } = change
    if (owner?.installation !== evidence.installation) return []
    const intended = before(stories, owner, at).some(
      ({ type, data }) =>
        type === 'ResourceIntended' &&
        data['key'] === owner.key &&
        Number(data['epoch']) === owner.epoch,
    )
    const what = `${name}: ${kind} ${ref} of ${owner.key}, epoch ${owner.epoch}`
    return intended ? [] : [`${what} was made at ${time(at)} with no intent in the log`]
  })

const changesOf = ({ providers }: Evidence, effect: Change['effect']) =>
  providers.flatMap(({ name, changes }) =>
    changes.filter((change) => change.effect === effect).map((change) => ({ name, change })),
  )

const time = (at: number): string => new Date(at).toISOString()
