// Load balancers that share an address. Those of one namespace that name one sharing key are a group. Its
// address is held by the group: taken with the first that joins, let go with the last that leaves. Who is in it,
// with which frontends, is told by a stream of its own; every decision that changes it is made on its version,
// so that two that join or leave at the same time are decided one after the other.
import {
  event,
  familyOf,
  sharingGroupOf,
  type DomainEvent,
  type Frontend,
  type IpAddress,
  type IpFamily,
  type Lease,
  type RecordedEvent,
  type ServiceUid,
  type SharingGroup,
} from '@weir/contract'
import type { Claiming, Decision, Situation } from './decision.ts'
import type { Balancer } from './fold.ts'
import { same, without } from './frontends.ts'

/** What one load balancer holds. */
export interface Held {
  readonly leases: readonly Lease[]
  readonly frontends: readonly Frontend[]
}

/** One group, as its stream tells of it. */
export interface Sharing {
  /** Of the stream, for the append. */
  readonly version: number
  readonly members: ReadonlyMap<ServiceUid, Held>
}

export const nobody: Sharing = { version: 0, members: new Map() }

export const evolveSharing = (at: Sharing, event: RecordedEvent): Sharing => {
  const version = event.streamversion
  if (event.type !== 'SharingChanged') return { ...at, version }
  const { serviceUid, leases, frontends } = event.data
  const members = new Map(at.members)
  if (leases.length === 0) members.delete(serviceUid)
  else members.set(serviceUid, { leases, frontends })
  return { version, members }
}

/** The group that a Service asks to be in. */
export const groupOf = ({ cluster, namespace, intent }: Situation['seen']) =>
  intent.sharingKey === undefined
    ? undefined
    : sharingGroupOf({
        cluster,
        namespace,
        key: intent.sharingKey,
        driver: intent.requestedDriver,
      })

/** All that a load balancer holds, what it leaves included. */
export const heldOf = (balancer: Balancer): Held =>
  balancer.status === 'Serving' || balancer.status === 'Releasing'
    ? {
        leases: [...balancer.leases, ...balancer.leaving],
        frontends: [...balancer.frontends, ...balancer.closing],
      }
    : { leases: [], frontends: [] }

/** Groups that a decision about this Service may change. */
export const groupsOf = ({
  facts,
  seen,
}: Pick<Situation, 'facts' | 'seen'>): readonly SharingGroup[] => [
  ...new Set(
    [groupOf(seen), ...heldOf(facts.balancer).leases.map(({ group }) => group)].filter(
      (group) => group !== undefined,
    ),
  ),
]

type Place = Pick<Situation, 'groups' | 'seen'>

/** The others of a group, by name. */
const othersIn = ({ groups, seen }: Place, group: SharingGroup | undefined) =>
  group === undefined
    ? []
    : [...(groups.get(group) ?? nobody).members]
        .filter(([uid]) => uid !== seen.serviceUid)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))

/** The address of a family that others of the group hold. */
export const addressOf = (
  at: Place,
  group: SharingGroup,
  family: IpFamily | undefined,
): Lease | undefined =>
  othersIn(at, group)
    .flatMap(([, { leases }]) => leases)
    .find(({ ip }) => familyOf(ip) === family)

/** Whether others of its group hold the address too, so that it stays when this one lets go of it. */
export const isShared = (at: Place, { ip, group }: Lease): boolean =>
  othersIn(at, group).some(([, other]) => leaseOf(other, ip) !== undefined)

/** Whether it may go on with an address it holds, as one of `group`, or of none. */
export const mayKeep = (at: Place, lease: Lease, group: SharingGroup | undefined): boolean =>
  lease.group === group ||
  (othersIn(at, lease.group).length === 0 &&
    (group === undefined || addressOf(at, group, familyOf(lease.ip)) === undefined))

/** The first of these frontends that another of the group holds, and who does. */
export const takenIn = (
  at: Place,
  group: SharingGroup,
  frontends: readonly Frontend[],
): { readonly frontend: Frontend; readonly holder: ServiceUid } | undefined => {
  for (const [holder, { frontends: theirs }] of othersIn(at, group)) {
    const frontend = frontends.find((each) => theirs.some((other) => same(each, other)))
    if (frontend !== undefined) return { frontend, holder }
  }
  return undefined
}

/**
 * The same decision with what it means for the groups: their news, and who takes or lets go of the address. A
 * load balancer that begins or ends to share alone hands its address over to the group, or back.
 */
export const withSharing = (at: Situation, decision: Decision): Decision => {
  const before = heldOf(at.facts.balancer)
  const after = decision.events.reduce(afterEvent, before)
  const groups = [...before.leases, ...after.leases].flatMap(({ group }) => group ?? [])
  if (groups.length === 0) return decision
  const news = [...new Set(groups)]
    .toSorted()
    .flatMap((group) => changeOf(at, group, before, after))
  const claims = decision.claims.flatMap((claim) => claimed(at, claim, before, after))
  return { ...decision, events: [...decision.events, ...news], claims }
}

const afterEvent = (held: Held, { type, data }: DomainEvent): Held => {
  switch (type) {
    case 'FrontendsAllocated':
      return {
        leases: [...data.leases, ...(data.leaving ?? [])],
        frontends: [...data.frontends, ...(data.closing ?? [])],
      }
    case 'FrontendsVacated':
      return {
        leases: held.leases.filter(({ ip }) => !data.leases.some((each) => each.ip === ip)),
        frontends: without(held.frontends, data.frontends ?? []),
      }
    case 'FrontendsReleased':
      return { leases: [], frontends: [] }
    default:
      return held
  }
}

const changeOf = (
  { seen: { cluster, namespace, serviceUid } }: Situation,
  group: SharingGroup,
  before: Held,
  after: Held,
): readonly DomainEvent[] => {
  const was = partOf(before, group)
  const is = partOf(after, group)
  if (JSON.stringify(was) === JSON.stringify(is)) return []
  return [event('SharingChanged', { group, cluster, namespace, serviceUid, ...is })]
}

const partOf = ({ leases, frontends }: Held, group: SharingGroup) => {
  const own = leases.filter((lease) => lease.group === group)
  const on = frontends.filter((each) => own.some(({ ip }) => ip === each.ip))
  return { leases: own, frontends: on }
}

const claimed = (
  at: Situation,
  claim: Claiming,
  before: Held,
  after: Held,
): readonly Claiming[] => {
  if (typeof claim.at !== 'string') return [claim]
  const was = leaseOf(before, claim.at)
  if (claim.change === 'release') {
    return was && isShared(at, was) ? [] : [named(claim, was?.group)]
  }
  const is = leaseOf(after, claim.at)
  const handsOver = was !== undefined && was.group !== is?.group
  return [
    named(claim, is?.group),
    ...(handsOver ? [named({ change: 'release', at: claim.at, restMs: 0 }, was.group)] : []),
  ]
}

const leaseOf = ({ leases }: Held, at: IpAddress | Frontend): Lease | undefined =>
  leases.find(({ ip }) => ip === at)

const named = (claim: Claiming, group: SharingGroup | undefined): Claiming =>
  group === undefined ? claim : { ...claim, holder: group }
