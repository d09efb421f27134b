// What to do about one Service, from what was seen of it, its story and the pools.
//
//   seen \ balancer   None          Wanted                Serving                      Releasing
//   present           open, try     try again             changed? hold, let go        wait
//   not present       nothing       request release       request release              wait
//   (any)                                                                   absent and finalizer off: release
//
// A refusal is an event like any other, given once per wish, and again when the time it promised has
// passed in vain; what serves goes on serving while a new wish is refused. A refused wish that is taken
// back leaves what serves as it is: what is held is said once more, which ends the refusal for all.
//
// A Service whose driver changes keeps what it holds until the resource at the old driver is absent, since
// that one serves until the new one does. A driver whose provider gives the address holds nothing of ours.
import type {
  DomainEvent,
  DriverName,
  Frontend,
  IpAddress,
  Lease,
  LoadBalancerIntent,
} from '@weir/contract'
import { event, intentHash } from '@weir/contract'
import { chooseAddress, usablePools, type Wish } from './choose.ts'
import { nothing, type Decision, type Situation } from './decision.ts'
import { driverProblem } from './drivers.ts'
import type { Balancer, Refusal } from './fold.ts'
import { closingOf, leavingOf, lettingGoOf, release, vacate } from './let-go.ts'
import { addressOf, groupOf, mayKeep, takenIn, withSharing } from './sharing.ts'

/** A promised time that passed so long ago is told anew: not at each of many vain attempts. */
const brokenPromiseMs = 60_000

export const decide = (at: Situation): Decision => withSharing(at, decideAlone(at))

const decideAlone = (at: Situation): Decision => {
  const { balancer } = at.facts
  const wanted = at.seen.phase === 'present' && !at.deregistered
  switch (balancer.status) {
    case 'None':
      return wanted && at.facts.finalizerFree ? open(at) : nothing
    case 'Wanted':
    case 'Serving':
      return wanted ? satisfy(at, balancer) : requestRelease(at)
    case 'Releasing':
      return release(at, balancer)
  }
}

const wishOf = (at: Situation): Wish => ({
  tenant: at.seen.tenant,
  holder: groupOf(at.seen) ?? at.seen.serviceUid,
  intent: at.seen.intent,
  intentHash: intentHash(at.seen.intent),
  pools: at.pools,
  index: at.index,
  now: at.now,
})

const wantedDriver = ({ seen, driver }: Situation): DriverName =>
  seen.intent.requestedDriver ?? driver

const open = (at: Situation): Decision => {
  const { cluster, serviceUid, namespace, name, intent } = at.seen
  const hash = intentHash(intent)
  const requested = event('LoadBalancerRequested', {
    cluster,
    serviceUid,
    namespace,
    name,
    driver: wantedDriver(at),
    intent,
    intentHash: hash,
  })
  const first = hold(at, empty)
  return { ...first, events: [requested, ...first.events] }
}

const satisfy = (at: Situation, balancer: Held): Decision => {
  const hash = intentHash(at.seen.intent)
  const changed = hash !== balancer.intentHash
  const moves = wantedDriver(at) !== balancer.driver
  const settled = balancer.status === 'Serving' && !changed && !moves && !balancer.refusal
  if (settled && !holdsInVain(at, balancer)) {
    return balancer.vacant && balancer.formers.length === 0 ? vacate(at, balancer) : nothing
  }
  const kept = balancer.status === 'Serving' ? balancer : empty
  // After a move the driver it has now is a former one.
  const formers = moves ? [...balancer.formers, balancer.epoch] : balancer.formers
  const tried = hold(at, { ...kept, formers, served: !moves && balancer.status === 'Serving' })
  const outcome = tried.events[0]
  if (outcome && outcome.type !== 'FrontendsAllocated') {
    return isSaid(balancer.refusal, outcome.type, at) ? { ...tried, events: [] } : tried
  }
  const news = [
    ...(changed ? [changeOf(balancer.intent, at.seen.intent)] : []),
    ...(moves ? [moveOf(at, balancer)] : []),
  ]
  if (balancer.status !== 'Serving' || outcome === undefined) {
    return { events: [...news, ...tried.events], claims: tried.claims }
  }
  const leaving = leavingOf(balancer, outcome.data)
  const closing = closingOf(balancer, outcome.data, leaving)
  const allocated = event(outcome.type, {
    ...outcome.data,
    ...(leaving.length === 0 ? {} : { leaving }),
    ...(closing.length === 0 ? {} : { closing }),
  })
  const lettingGo = lettingGoOf(at, balancer, allocated)
  return { events: [...news, allocated], claims: [...tried.claims, ...lettingGo] }
}

type Held = Extract<Balancer, { intent: unknown }>

/** An address of ours that no resource uses any more: the driver it moved to has its own. */
const holdsInVain = (at: Situation, balancer: Held): boolean =>
  balancer.status === 'Serving' &&
  balancer.leases.length > 0 &&
  balancer.formers.length === 0 &&
  at.drivers.get(balancer.driver)?.addresses === 'provider'

const moveOf = (at: Situation, { driver: from, intent }: Held): DomainEvent => {
  const byClass = intent.requestedDriver !== at.seen.intent.requestedDriver
  const cause = byClass ? 'load-balancer-class' : (at.because ?? 'cluster-default')
  return event('DriverChanged', { from, to: wantedDriver(at), cause })
}

/** The same answer to the same wish is given once, while what it promised may still come true. */
const isSaid = (
  known: Refusal | undefined,
  type: DomainEvent['type'],
  { seen, now }: Situation,
): boolean =>
  known?.type === type &&
  known.intentHash === intentHash(seen.intent) &&
  (known.promisedAt === null || now < known.promisedAt + brokenPromiseMs)

const changeOf = (before: LoadBalancerIntent, after: LoadBalancerIntent): DomainEvent => {
  const fields = (Object.keys({ ...before, ...after }) as (keyof LoadBalancerIntent)[]).filter(
    (field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]),
  )
  return event('LoadBalancerChanged', { intent: after, intentHash: intentHash(after), fields })
}

/** What is held when a wish is looked at. */
interface Kept {
  readonly leases: readonly Lease[]
  /** Addresses of before that it may have back. */
  readonly leaving: readonly Lease[]
  readonly frontends: readonly Frontend[]
  /** Epochs at former drivers, which may still use what is held. */
  readonly formers: readonly number[]
  /** The wanted driver serves it already, so that it is asked for nothing new. */
  readonly served: boolean
}
const empty: Kept = { leases: [], leaving: [], frontends: [], formers: [], served: false }

/** Takes what the wish needs, keeping the leases it has where they still fit. */
const hold = (at: Situation, kept: Kept): Decision => {
  const wish = wishOf(at)
  const byProvider = at.drivers.get(wantedDriver(at))?.addresses === 'provider'
  const refusal = refusalOf(at, wish, { served: kept.served, byProvider })
  if (refusal) return refuse(refusal, null)
  if (byProvider) return holdNothingMore(kept)
  const group = groupOf(at.seen)
  const { requestedAddress } = wish.intent
  const stays = [...kept.leases, ...kept.leaving].find(
    (lease) =>
      (requestedAddress === null || lease.ip === requestedAddress) && mayKeep(at, lease, group),
  )
  const theirs = group && addressOf(at, group, wish.intent.ipFamilies[0])
  const choice = chosen(stays, 'sticky') ?? chosen(theirs, 'shared') ?? chooseAddress(wish)
  if (!choice.found) return refuse(choice.refusal, choice.freeAt)
  const frontends = frontendsOf(wish.intent, choice.ip)
  const clash = group && takenIn(at, group, frontends)
  if (clash) return refuse(event('FrontendTaken', { intentHash: wish.intentHash, ...clash }), null)
  const given = { ip: choice.ip, pool: choice.pool }
  const allocated = event('FrontendsAllocated', {
    leases: [group === undefined ? given : { ...given, group }],
    frontends,
    choice: choice.reason,
    considered: stays || theirs ? [] : usablePools(wish).map((pool) => pool.name),
  })
  const taken = [choice.ip, ...frontends]
  return { events: [allocated], claims: taken.map((each) => ({ change: 'take', at: each })) }
}

const chosen = (lease: Lease | undefined, reason: 'sticky' | 'shared') =>
  lease && ({ found: true, ip: lease.ip, pool: lease.pool, reason } as const)

/** The provider gives the address; ours are held only while a former driver may serve them. */
const holdNothingMore = ({ leases, frontends, formers }: Kept): Decision => {
  const still = formers.length > 0 ? { leases: [...leases], frontends: [...frontends] } : none
  const allocated = event('FrontendsAllocated', { ...still, choice: 'provider', considered: [] })
  return { events: [allocated], claims: [] }
}
const none: { readonly leases: Lease[]; readonly frontends: Frontend[] } = {
  leases: [],
  frontends: [],
}

const refuse = (refusal: DomainEvent, freeAt: number | null): Decision => ({
  events: [refusal],
  claims: [],
  refused: { type: refusal.type, freeAt },
})

const refusalOf = (
  at: Situation,
  { intent, intentHash: hash, tenant }: Wish,
  is: { readonly served: boolean; readonly byProvider: boolean },
): DomainEvent | undefined => {
  const problems = [...intent.invalid]
  const byClass = intent.requestedDriver !== undefined
  const wanted = { driver: wantedDriver(at), tenant, byClass }
  const unknown = is.served ? undefined : driverProblem(at.drivers, wanted)
  if (unknown) problems.push(unknown)
  else if (is.byProvider && intent.requestedPool !== null) {
    const problem = `"${intent.requestedPool}" cannot be used: the driver "${wanted.driver}" has addresses of its own`
    problems.push({ field: 'the pool', problem })
  } else if (is.byProvider && intent.sharingKey !== undefined) {
    const problem = `"${intent.sharingKey}" cannot be used: the driver "${wanted.driver}" gives each Service an address of its own`
    problems.push({ field: 'the sharing key', problem })
  } else problems.push(...sharingProblems(at))
  if (problems.length > 0) return event('IntentInvalid', { intentHash: hash, problems })
  // What a provider carries, its driver knows.
  const foreign = intent.ports.map((port) => port.protocol).filter((name) => name === 'SCTP')
  if (is.byProvider || foreign.length === 0) return undefined
  return event('ProtocolUnsupported', { intentHash: hash, protocols: [...new Set(foreign)] })
}

/** Who shares an address can ask for no other. */
const sharingProblems = (at: Situation): LoadBalancerIntent['invalid'] => {
  const { sharingKey, requestedAddress: ip, requestedPool: pool, ipFamilies } = at.seen.intent
  const group = groupOf(at.seen)
  const theirs = group && addressOf(at, group, ipFamilies[0])
  if (!theirs) return []
  const problem = (wish: string, held: string): string =>
    `"${wish}" cannot be had: the Services with the sharing key "${sharingKey}" have ${held}`
  return [
    ...(ip === null || ip === theirs.ip
      ? []
      : [{ field: 'the address', problem: problem(ip, theirs.ip) }]),
    ...(pool === null || pool === theirs.pool
      ? []
      : [{ field: 'the pool', problem: problem(pool, `an address of ${theirs.pool}`) }]),
  ]
}

const frontendsOf = (intent: LoadBalancerIntent, ip: IpAddress): Frontend[] =>
  intent.ports.map(({ protocol, port }) => ({ ip, protocol, port }))

const requestRelease = (at: Situation): Decision => {
  const reasons = {
    present: 'cluster-deregistered',
    unwanted: 'no-longer-wanted',
    deleting: 'service-deleted',
    gone: 'service-gone',
  } as const
  const reason = at.deregistered ? 'cluster-deregistered' : reasons[at.seen.phase]
  return { events: [event('ReleaseRequested', { reason })], claims: [] }
}
