// A driver for the simulated cloud, written as one for a real cloud is: it reads, plans, and takes steps of
// one call each; the balancer is made first and gets its targets by a second call.
import { desiredHash, ipAddress, type DesiredResource, type OwnershipMarks } from '@weir/contract'
import {
  comparePlaces,
  findUnsupported,
  memoryCapabilities,
  remove,
  sameOwner,
  serve,
  type Capabilities,
  type Driver,
  type InventoryItem,
  type Observed,
  type Order,
  type Outcome,
  type Plan,
  type Refused,
  type Step,
} from '@weir/drivers'
import type { FaultPlan } from '../faults.ts'
import type { Actor } from '../scheduler/actor.ts'
import { flowsAt } from './node-health.ts'
import type { Asked, Cloud, CloudAnswer, CloudThing } from './cloud.ts'

/** What the driver reads into an observation: everything under the resource's key. */
type View = readonly CloudThing[]

export type CloudCall =
  | { readonly call: 'create'; readonly desired: DesiredResource; readonly name?: string }
  | { readonly call: 'update'; readonly ref: string; readonly desired: DesiredResource }
  | { readonly call: 'delete'; readonly ref: string }

export const createCloudDriver = (
  cloud: Cloud,
  ports: { readonly actor: Actor; readonly faults: FaultPlan; readonly installation: string },
): Driver => {
  const { actor, faults, installation } = ports
  const ask = <T>(label: string, kind: 'provider-read' | 'provider-write', effect: () => T) =>
    actor.call({ label: `${cloud.name} ${label}`, fate: faults.fateOf(kind, actor) }, async () =>
      effect(),
    )
  const asked = (): Asked => ({ by: actor.name, at: actor.clock.now() })

  const addresses = cloud.kind === 'cloud' ? 'provider' : 'pool'
  const capabilities: Capabilities = { ...memoryCapabilities, addresses }
  const driver: Driver = {
    name: cloud.name,
    capabilities,
    probe: async () => ({
      status: 'ready',
      account: 'simulated',
      found: 'simulated',
      capabilities,
    }),
    observe: async (marks) => {
      const all = await ask(`read ${marks.key}`, 'provider-read', () => cloud.read())
      const at = { name: cloud.name, now: actor.clock.now() }
      return observed(at, marks, all.filter(isUnder(marks)))
    },
    plan: (order, seen) => barred(order, { capabilities, installation }) ?? planOf(order, seen),
    execute: async (step) => {
      const call = step.call as CloudCall
      const at = asked()
      return outcomeOf(await ask(step.title, 'provider-write', () => take(cloud, call, at)))
    },
    poll: async () => ({ status: 'pending', lookAgainMs: 1000 }),
    inventory: async (cursor) => {
      const from = Number(cursor ?? 0)
      const all = await ask(`list from ${from}`, 'provider-read', () => cloud.read())
      const next = from + pageSize
      const resources = all.slice(from, next).map(itemOf)
      return next < all.length ? { resources, next: String(next) } : { resources }
    },
    release: async ({ ref, marks }) => {
      const all = await ask(`read ${ref}`, 'provider-read', () => cloud.read())
      const there = all.find((thing) => thing.ref === ref)
      if (there === undefined) return { status: 'done' }
      if (there.marks === null || !isSame(there.marks, marks)) return notOurs
      if (there.marks.installation !== installation) return notOurs
      const at = asked()
      const answer = await ask(`delete ${ref}`, 'provider-write', () => cloud.remove(ref, at))
      const outcome = outcomeOf(answer)
      return outcome.status === 'done' ? { status: 'pending', lookAgainMs: 1000 } : outcome
    },
    onChange: (handle, signal) => {
      const stop = cloud.onChange(({ tenant, service }) => {
        if (!faults.strikes('missed event')) {
          actor.deliver(`hint of ${cloud.name}`, () => handle({ tenant, service }))
        }
      })
      actor.onDeath(stop)
      signal.addEventListener('abort', stop, { once: true })
    },
  }
  return driver
}

/** For callers that give whole orders and leave the steps to the driver. */
export const withApply = (driver: Driver): Driver =>
  Object.assign(driver, {
    apply: (desired: DesiredResource) => serve(driver, desired),
    remove: (marks: OwnershipMarks) => remove(driver, marks),
  })

const pageSize = 3
const notOurs: Refused = {
  status: 'refused',
  capability: 'ownership',
  problem: 'it carries the marks of another owner',
}

const isUnder =
  (marks: OwnershipMarks) =>
  (thing: CloudThing): boolean =>
    thing.marks !== null && sameOwner(thing.marks, marks)

const itemOf = ({ ref, marks, desired }: CloudThing): InventoryItem => ({
  kind: 'load balancer',
  ref,
  marks,
  generation: desired?.generation ?? 0,
})

const observed = (
  { name, now }: { readonly name: string; readonly now: number },
  marks: OwnershipMarks,
  view: View,
): Observed<View> => {
  const mine = view.find((thing) => thing.marks?.epoch === marks.epoch)
  if (mine === undefined || mine.marks === null || mine.desired === null) {
    return { status: 'absent', confirmedBy: [name], view }
  }
  return {
    status: 'present',
    marks: mine.marks,
    generation: mine.desired.generation,
    hash: desiredHash(mine.desired),
    ready: mine.state === 'active',
    ingress: addressesOf(mine).map((ip) => ({ ip: ipAddress.parse(ip), ipMode: 'VIP' })),
    confirmedBy: [name],
    targets: [],
    flows: flowsAt(mine.desired, now),
    view,
  }
}

const addressesOf = ({ address, desired }: CloudThing): readonly string[] =>
  address === null ? [...new Set((desired?.frontends ?? []).map(({ ip }) => ip))] : [address]

const isSame = (one: OwnershipMarks, other: OwnershipMarks): boolean =>
  sameOwner(one, other) && one.epoch === other.epoch

/** Why nothing is to be asked at all; undefined when the order may be followed. */
const barred = (
  order: Order,
  by: { readonly capabilities: Capabilities; readonly installation: string },
): Refused | undefined => {
  const marks = order.order === 'serve' ? order.desired.marks : order.marks
  if (marks.installation !== by.installation) return notOurs
  if (order.order === 'remove') return undefined
  const unsupported = findUnsupported(by.capabilities, order.desired)
  return unsupported && { status: 'refused', ...unsupported }
}

const planOf = (order: Order, seen: Observed): Plan => {
  if (seen.status === 'unknown') return { status: 'locked', retryMs: 1000 }
  const view = (seen.view ?? []) as View
  if (order.order === 'remove') return steps(...view.flatMap((thing) => deleting(thing, order)))
  const { desired } = order
  const later = view.find((thing) => (thing.marks?.epoch ?? 0) > desired.marks.epoch)
  if (later !== undefined) {
    const epoch = later.marks?.epoch ?? 0
    return { status: 'superseded', epoch, generation: later.desired?.generation ?? 1 }
  }
  const older = view.filter((thing) => (thing.marks?.epoch ?? 0) < desired.marks.epoch)
  const clearing = older.flatMap((thing) => deleting(thing, order))
  const mine = view.find((thing) => thing.marks?.epoch === desired.marks.epoch)
  if (mine === undefined) return steps(...clearing, creating(desired))
  return servingPlan(mine, desired, clearing)
}

const servingPlan = (
  mine: CloudThing,
  desired: DesiredResource,
  clearing: readonly Step[],
): Plan => {
  if (mine.state === 'deleting') return { status: 'locked', retryMs: 500 }
  const there = mine.desired
  if (there === null) return steps(...clearing)
  const generation = there.generation
  const place = { epoch: desired.marks.epoch, generation }
  const ahead = comparePlaces(place, { ...place, generation: desired.generation })
  if (ahead > 0) return { status: 'superseded', ...place }
  if (ahead === 0 && desiredHash(there) === desiredHash(desired)) return steps(...clearing)
  if (mine.state !== 'active') return { status: 'locked', retryMs: 500 }
  const call: CloudCall = { call: 'update', ref: mine.ref, desired }
  const title = `update ${mine.ref} to ${desired.generation}`
  return steps(...clearing, { title, tenant: desired.marks.tenant, call })
}

const steps = (...taken: readonly Step[]): Plan => ({ status: 'steps', steps: taken })

const creating = (desired: DesiredResource): Step => {
  const { key, epoch, tenant } = desired.marks
  // Its targets come with the next step, as a cloud takes them.
  const call: CloudCall = { call: 'create', desired: { ...desired, targets: [] } }
  return { title: `create ${key}/${epoch}`, tenant, call }
}

const deleting = (thing: CloudThing, order: Order): readonly Step[] => {
  const most = order.order === 'serve' ? order.desired.marks.epoch - 1 : order.marks.epoch
  const { marks, ref, state } = thing
  if (marks === null || marks.epoch > most || state === 'deleting') return []
  const call: CloudCall = { call: 'delete', ref }
  return [{ title: `delete ${ref}`, tenant: marks.tenant, call }]
}

const take = (cloud: Cloud, call: CloudCall, asked: Asked): CloudAnswer => {
  switch (call.call) {
    case 'create':
      return cloud.create(call.desired, {
        ...asked,
        ...(call.name === undefined ? {} : { name: call.name }),
      })
    case 'update':
      return cloud.update(call.ref, call.desired, asked)
    case 'delete':
      return cloud.remove(call.ref, asked)
  }
}

const outcomeOf = (answer: CloudAnswer): Outcome => {
  switch (answer.status) {
    case 'accepted':
    case 'exists':
    case 'missing':
      return { status: 'done' }
    case 'locked':
      return { status: 'locked', retryMs: 500 }
    case 'superseded':
      return answer
    case 'throttled':
      return { status: 'retry', afterMs: 500, problem: 'the cloud throttles' }
  }
}
