import { streams } from '@weir/contract'
import { explainError } from '@weir/kernel'
import type { Plants } from '../hosts/machine.ts'
import { notYet } from '../promises/liveness.ts'
import { watchSafety, type Safety } from '../promises/safety.ts'
import { Violation } from '../promises/violation.ts'
import { createRandom } from '../scheduler/random.ts'
import { createScheduler, inOrder } from '../scheduler/scheduler.ts'
import { installTripwires } from '../scheduler/tripwires.ts'
import { createFleet } from '../world/fleet.ts'
import { calmPace, drawTopology, type Topology } from '../world/topology.ts'
import { createWorld, type World } from '../world/world.ts'
import { endOf, type End } from './end.ts'
import { createSievePlan, type Plan, type SievePlan } from './plan.ts'
import type { Story } from './stories.ts'

export interface Told {
  readonly end: End
  readonly calls: number
  readonly steps: number
  readonly violation?: Violation
}

const start = Date.UTC(2026, 0, 1)
const boundMs = 15 * 60_000
const idleMs = 30_000
/** Somebody who ended is back after this. */
const backMs = 1000

const topologyOf = ({ addresses = 4 }: Story): Topology => ({
  ...drawTopology(createRandom('sieve')),
  tenants: 1,
  clustersPerTenant: 1,
  instances: { watcher: 1, allocator: 1, provisioner: 1, gc: 1 },
  drivers: [
    { name: 'edge', kind: 'fleet', worksMs: 500, staleMs: 0 },
    { name: 'cloud', kind: 'cloud', worksMs: 2000, staleMs: 0 },
  ],
  defaultDriver: 'edge',
  addresses,
  quarantineSeconds: 0,
  pace: calmPace,
})

/** Tells a story with one thing going wrong, and says how it ended. */
export const tellStory = async (story: Story, plan: Plan, plants: Plants = {}): Promise<Told> => {
  const faults = createSievePlan(plan)
  const broken: Violation[] = []
  const at: { safety?: Safety; world?: World } = {}
  const scheduler = createScheduler({
    start,
    choose: inOrder,
    afterStep: () => {
      const [first] = broken
      if (first !== undefined) throw first
      at.safety?.check()
    },
  })
  const tripwires = installTripwires()
  let violation: Violation | undefined
  try {
    const random = createRandom('sieve')
    const world = await createWorld({ topology: topologyOf(story), scheduler, faults, random })
    at.world = world
    at.safety = watchSafety(world)
    const fleet = createFleet({
      world,
      plants,
      onBroken: (who, error) => {
        broken.push(new Violation('bug', `${who} is broken: ${explainError(error)}`))
      },
    })
    faults.onCrash((actor) => fleet.crash(actor, backMs))
    fleet.startAll()
    await live(world, story, { plan, faults })
    await settle(world, at.safety)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error
  } finally {
    tripwires.remove()
  }
  const end = at.world === undefined ? { state: [], counts: [] } : endOf(at.world)
  const { steps } = scheduler
  const told = { end, calls: faults.calls(), steps: steps() }
  return violation === undefined ? told : { ...told, violation }
}

const live = async (
  world: World,
  { acts }: Story,
  { plan, faults }: { readonly plan: Plan; readonly faults: SievePlan },
): Promise<void> => {
  const { scheduler } = world
  const seen = listen(world)
  await scheduler.run({ time: scheduler.now() + 5000 })
  for (const [index, each] of acts.entries()) {
    await scheduler.run({ time: scheduler.now() + each.afterMs })
    const isHidden = plan.what === 'hidden' && plan.act === index
    const before = seen()
    if (isHidden) hide(world, acts[index + 1]?.afterMs ?? 0)
    if (plan.what === 'wipe' && plan.act === index) {
      const due = scheduler.now() + plan.afterMs
      scheduler.add({ label: 'the bus is wiped', due, run: () => world.bus.wipe() })
    }
    each.do(world)
    if (plan.what !== 'stale' || plan.act !== index) continue
    await scheduler.run({ time: scheduler.now() + 8000 })
    await world.bus.publish(before).catch(() => undefined)
  }
  faults.count(true)
}

/** Cuts every watch and forgets the history once the next act is over: only lists tell what is. */
const hide = (world: World, ms: number): void => {
  const { scheduler, faults, clusters } = world
  const open = scheduler.now() + ms + 50
  const cut = (): void => {
    for (const { kube } of clusters) kube.store.compact()
    faults.cutWatches()
    const due = scheduler.now() + 20
    if (scheduler.now() < open) scheduler.add({ label: 'hidden', due, run: cut })
  }
  cut()
}

/** The newest observation of each subject, as the bus has it. */
const listen = ({ bus }: World): (() => { subject: string; body: string }[]) => {
  const newest = new Map<string, string>()
  const listening = bus.consume({
    stream: streams.obs.name,
    filter: 'weir.obs.>',
    from: 'last-of-each',
    signal: new AbortController().signal,
    handle: async (messages) => {
      for (const { subject, body } of messages) newest.set(subject, body)
    },
  })
  listening.catch(() => undefined)
  return () => [...newest].map(([subject, body]) => ({ subject, body }))
}

const settle = async (world: World, oracle: Safety): Promise<void> => {
  const { scheduler } = world
  const began = scheduler.now()
  for (;;) {
    await scheduler.run({ time: scheduler.now() + idleMs })
    const [first] = notYet(world, oracle)
    if (first === undefined) return
    if (scheduler.now() > began + boundMs) throw new Violation(first.promise, first.problem)
  }
}
