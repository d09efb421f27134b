// Bugs in how a provider is used.
import type { Driver, Observed, Order, Plan, Step } from '@weir/drivers'
import type { CloudCall } from '../cloud/cloud-driver.ts'
import type { CloudThing } from '../cloud/cloud.ts'
import type { Place, ServiceName } from '../hosts/machine.ts'
import type { PlantedBug } from './bug.ts'

const inDriver =
  (services: readonly ServiceName[], change: (driver: Driver, at: Place) => Partial<Driver>) =>
  (driver: Driver, at: Place): Driver =>
    services.includes(at.service) ? { ...driver, ...change(driver, at) } : driver

const seenBy = (seen: Observed): readonly CloudThing[] => (seen.view ?? []) as readonly CloudThing[]

const deleting = ({ ref }: CloudThing, tenant: string): Step => {
  const call: CloudCall = { call: 'delete', ref }
  return { title: `delete ${ref}`, tenant, call }
}

const stepsOf = (steps: readonly Step[]): Plan => ({ status: 'steps', steps })

const isRemoval = (order: Order): order is Extract<Order, { order: 'remove' }> =>
  order.order === 'remove'

export const driverBugs: readonly PlantedBug[] = [
  {
    name: 'names by chance',
    does: 'a create that is made again makes a second load balancer',
    within: 40,
    plants: {
      driver: inDriver(['provisioner'], (driver, { actor }) => ({
        execute: (step) => {
          const call = step.call as CloudCall
          if (call.call !== 'create') return driver.execute(step)
          const named: CloudCall = { ...call, name: actor.ids.uuid() }
          return driver.execute({ ...step, call: named })
        },
      })),
    },
  },
  {
    name: 'a failed read counts as absence',
    does: 'an error of the provider is taken for "not found"',
    within: 150,
    plants: {
      driver: inDriver(['provisioner'], (driver) => ({
        observe: (marks) =>
          driver.observe(marks).catch((): Observed => ({ status: 'absent', confirmedBy: [] })),
      })),
    },
  },
  {
    name: 'what was asked for counts as done',
    does: 'a load balancer is ready for the driver while it is being built',
    within: 20,
    plants: {
      driver: inDriver(['provisioner'], (driver) => ({
        observe: async (marks) => {
          const seen = await driver.observe(marks)
          return seen.status === 'present' ? { ...seen, ready: true } : seen
        },
      })),
    },
  },
  {
    name: 'a delete that began counts as done',
    does: 'what is being deleted is absent for the driver',
    within: 20,
    plants: {
      driver: inDriver(['provisioner'], (driver) => ({
        observe: async (marks) => {
          const seen = await driver.observe(marks)
          const leaving = seenBy(seen).some(({ state }) => state === 'deleting')
          return leaving ? { status: 'absent', confirmedBy: ['planted'], view: [] } : seen
        },
      })),
    },
  },
  {
    name: 'targets are never told again',
    does: 'a change of nodes alone does not reach the provider',
    within: 40,
    plants: {
      driver: inDriver(['provisioner'], (driver) => ({
        plan: (order, seen) => {
          const plan = driver.plan(order, seen)
          if (plan.status !== 'steps' || order.order !== 'serve') return plan
          const there = seenBy(seen).find(({ marks }) => marks?.epoch === order.desired.marks.epoch)
          const had = there?.desired?.targets.length ?? 0
          return had > 0 && had !== order.desired.targets.length ? stepsOf([]) : plan
        },
      })),
    },
  },
  {
    name: 'clean-up by name',
    does: 'a removal takes things along that carry no marks of ours',
    within: 20,
    plants: {
      driver: inDriver(['provisioner'], (driver) => ({
        plan: (order, seen) => {
          const plan = driver.plan(order, seen)
          if (!isRemoval(order) || plan.status !== 'steps' || plan.steps.length === 0) return plan
          const byHand = { ref: `${driver.name}-by-hand` } as CloudThing
          return stepsOf([...plan.steps, deleting(byHand, order.marks.tenant)])
        },
      })),
    },
  },
]
