import type { InstallationId, OwnershipMarks } from '@weir/contract'
import { findUnsupported } from '../capability.ts'
import type { Observed, Order, Plan, Refused, Step } from '../driver.ts'
import { comparePlaces } from '../marks.ts'
import { stepOf } from './calls.ts'
import { planFloatingIps } from './floating-ip.ts'
import { balancerName } from './marks.ts'
import type { Ours, View } from './observe.ts'
import { planParts } from './plan-parts.ts'
import type { OctaviaSettings } from './settings.ts'
import { createBody, wishOf, type Wish } from './wish.ts'

/** What a plan needs besides the order and the observation. */
export interface PlanRules {
  readonly installation: InstallationId
  readonly settings: OctaviaSettings
  /** How long a load balancer in ERROR rests before it is replaced. */
  readonly errorRestMs: number
}

/** A load balancer that the cloud works on is looked at again after this long. */
const lockedMs = 2000

/** What can be asked of the cloud now. Pure; see `Driver.plan`. */
export const plan = (rules: PlanRules, order: Order, seen: Observed<View>): Plan => {
  const marks = order.order === 'serve' ? order.desired.marks : order.marks
  if (marks.installation !== rules.installation) return notOurs(marks)
  const { view } = seen
  if (view === undefined) return { status: 'locked', retryMs: lockedMs }
  return order.order === 'serve'
    ? planServe(rules, order.desired, view)
    : planRemove(order.marks, view)
}

export const notOurs = (marks: OwnershipMarks): Refused => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${marks.key} carries the marks of installation ${marks.installation}`,
})

type Desired = Extract<Order, { order: 'serve' }>['desired']

const planServe = (rules: PlanRules, desired: Desired, view: View): Plan => {
  const barred = refusalOf(desired, view) ?? newerThan(desired, view)
  if (barred !== undefined) return barred
  const wish = wishOf(rules.settings, desired)
  const [kept, ...spare] = view.same
  if (kept === undefined) return steps([create(wish, view)])
  const onFloatingIps = planFloatingIps(wish, kept, view)
  const spares = spare.flatMap((each) => discard(each, 'one of two made at once'))
  switch (kept.balancer.provisioning_status) {
    case 'ACTIVE': {
      const wrong = wish.settings.floatingNetworkId === undefined && hasOtherAddress(wish, kept)
      if (wrong) return steps([...spares, ...discard(kept, 'it has another address')])
      const changes = [...planParts(wish, kept, view), ...onFloatingIps, ...spares]
      return changes.length === 0 && spare.some(isPending) ? locked : steps(changes)
    }
    case 'ERROR':
      // Deletable, not mutable. It may still forward; but it never will again what we ask of it.
      return (
        restsUntil(rules, kept, view.at) ??
        steps([...spares, ...discard(kept, 'the cloud gave it up (ERROR)')])
      )
    case 'PENDING_DELETE':
      return locked
    default:
      // Held by the cloud. What was asked last may be what is asked now: then there is only to wait.
      if (onFloatingIps.length > 0) return steps(onFloatingIps)
      return isTold(wish, kept) ? steps([]) : locked
  }
}

const locked: Plan = { status: 'locked', retryMs: lockedMs }
const steps = (all: readonly Step[]): Plan => ({ status: 'steps', steps: all })

const refusalOf = (desired: Desired, { capabilities }: View): Refused | undefined => {
  const unsupported = findUnsupported(capabilities, desired)
  if (unsupported !== undefined) return { status: 'refused', ...unsupported }
  const { frontends } = desired
  const fixed = frontends.find(({ ip }) => ip !== '0.0.0.0' && ip !== '::')
  if (fixed !== undefined) {
    return {
      status: 'refused',
      capability: 'addresses',
      problem: `${fixed.ip}: the cloud gives the address; ask for one with spec.loadBalancerIP`,
    }
  }
  const bare = frontends.find(({ protocol }) => protocol !== 'TCP')
  if (desired.proxyProtocol === 'none' || bare === undefined) return undefined
  return {
    status: 'refused',
    capability: 'proxyProtocol',
    problem: `port ${bare.port}: the PROXY protocol goes with TCP only, not with ${bare.protocol}`,
  }
}

/** A newer order than this one, if the tags tell of any. */
const newerThan = (desired: Desired, view: View): Plan | undefined => {
  const asked = { epoch: desired.marks.epoch, generation: desired.generation }
  const places = [...view.same, ...view.others].map(({ labels }) => ({
    epoch: labels.marks.epoch,
    generation: labels.generation,
  }))
  const [newest] = places.toSorted((one, other) => comparePlaces(other, one))
  return newest !== undefined && comparePlaces(newest, asked) > 0
    ? { status: 'superseded', ...newest }
    : undefined
}

const create = (wish: Wish, view: View): Step =>
  stepOf(wish.marks, `create load balancer ${balancerName(wish.marks)}`, {
    do: 'create',
    marks: wish.marks,
    body: createBody(wish, view.project),
  })

/** How to get rid of one; undefined while the cloud holds it. */
const deletion = ({ balancer, labels }: Ours): readonly Step[] | undefined => {
  if (isPending({ balancer })) return undefined
  const title = `delete load balancer ${balancer.name} (${balancer.id})`
  return [stepOf(labels.marks, title, { do: 'delete', balancer: balancer.id, marks: labels.marks })]
}

/** A deletion while its Service is served. */
const discard = (each: Ours, why: string): readonly Step[] =>
  (deletion(each) ?? []).map((step) => ({ ...step, discards: { ref: each.balancer.id, why } }))

const isPending = ({ balancer }: Pick<Ours, 'balancer'>): boolean =>
  balancer.provisioning_status.startsWith('PENDING')

/** An address of a load balancer never changes: another one takes another load balancer. */
const hasOtherAddress = (wish: Wish, { balancer }: Ours): boolean =>
  wish.address !== null && wish.address !== balancer.vip_address

const isTold = ({ generation, hash }: Wish, { labels }: Ours): boolean =>
  labels.generation === generation && labels.hash === hash

/** A cloud that cannot make anything is not asked again at once. */
const restsUntil = (rules: PlanRules, { balancer }: Ours, now: number): Plan | undefined => {
  const since = Math.max(balancer.created_at ?? 0, balancer.updated_at ?? 0)
  const restMs = Math.min(since + rules.errorRestMs - now, rules.errorRestMs)
  return restMs > 0 ? { status: 'locked', retryMs: restMs } : undefined
}

const planRemove = (marks: OwnershipMarks, view: View): Plan => {
  const frees = view.floatingIps.map(({ id, floating_ip_address: ip }) =>
    stepOf(marks, `free floating IP ${ip}`, { do: 'free', floatingIp: id, marks }),
  )
  const all = [...frees, ...view.same.flatMap((each) => deletion(each) ?? [])]
  if (all.length > 0) return steps(all)
  // What is going already needs nothing more of us.
  const held = view.same.some(({ balancer }) => balancer.provisioning_status !== 'PENDING_DELETE')
  return held ? locked : steps([])
}
