import { Bug, explainError } from '@weir/kernel'
import { createFaultPlan, type Counts } from './faults.ts'
import type { Plants } from './hosts/machine.ts'
import { mustBeSo, notYet, type Unkept } from './promises/liveness.ts'
import { watchSafety, type Safety } from './promises/safety.ts'
import { Violation } from './promises/violation.ts'
import { createRandom } from './scheduler/random.ts'
import { byChance, createScheduler, type Choice } from './scheduler/scheduler.ts'
import { installTripwires, type Tripwires } from './scheduler/tripwires.ts'
import { letUsersAct, type ActCounts } from './workload/users.ts'
import { unleash } from './world/chaos.ts'
import { createFleet, type Fleet } from './world/fleet.ts'
import { drawTopology, type Topology } from './world/topology.ts'
import { createWorld, type World } from './world/world.ts'

export interface ScheduleOptions {
  readonly seed: string
  readonly plants?: Plants
  /** Replaces parts of what the seed draws. */
  readonly shape?: (drawn: Topology) => Topology
  readonly trace?: (choice: Choice) => void
  readonly expected?: readonly string[]
}

/** What came of one schedule. */
export interface Outcome {
  readonly seed: string
  readonly steps: number
  /** Virtual milliseconds. */
  readonly simulatedMs: number
  readonly fingerprint: number
  readonly labels: readonly string[]
  readonly faults: Counts
  readonly acts: ActCounts
  readonly violation?: Violation
}

const start = Date.UTC(2026, 0, 1)

/** Bounds in virtual time: for everything to be as it should, and for nothing to happen after that. */
export const convergeMs = 20 * 60_000
export const quietMs = 75_000
const lookMs = 5000

/** One schedule: users act and faults strike, then faults stop, and all must come to rest. */
export const runSchedule = async (options: ScheduleOptions): Promise<Outcome> => {
  const random = createRandom(options.seed)
  const drawn = drawTopology(random.fork('topology'))
  const topology = options.shape?.(drawn) ?? drawn
  const faults = createFaultPlan(topology.chances, random.fork('faults'))
  const broken: Violation[] = []
  const at: { safety?: Safety; tripwires?: Tripwires } = {}
  const { trace, expected } = options
  const scheduler = createScheduler({
    start,
    choose: byChance(random.fork('schedule')),
    afterStep: () => {
      const tripped = at.tripwires?.tripped()
      if (tripped !== undefined) throw new Violation('bug', tripped)
      const [first] = broken
      if (first !== undefined) throw first
      at.safety?.check()
    },
    ...(trace === undefined ? {} : { trace }),
    ...(expected === undefined ? {} : { expected }),
  })
  const unhandled = (error: unknown): void => void broken.push(brokenBy('a promise', error))
  process.on('unhandledRejection', unhandled)
  at.tripwires = installTripwires()
  let acts: ActCounts | undefined
  let violation: Violation | undefined
  try {
    const world = await createWorld({ topology, scheduler, faults, random: random.fork('world') })
    at.safety = watchSafety(world)
    const fleet = createFleet({
      world,
      plants: options.plants ?? {},
      onBroken: (who, error) => void broken.push(brokenBy(who, error)),
    })
    acts = await live(world, fleet)
    await comeToRest(world, fleet, at.safety)
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    violation = error
  } finally {
    at.tripwires.remove()
    process.off('unhandledRejection', unhandled)
  }
  return {
    seed: options.seed,
    steps: scheduler.steps(),
    simulatedMs: scheduler.now() - start,
    fingerprint: scheduler.fingerprint(),
    labels: scheduler.labels(),
    faults: faults.counts,
    acts: acts ?? ({} as ActCounts),
    ...(violation === undefined ? {} : { violation }),
  }
}

const brokenBy = (who: string, error: unknown): Violation =>
  new Violation(
    'bug',
    `${who} is broken: ${error instanceof Bug ? 'Bug: ' : ''}${explainError(error)}`,
  )

const live = async (world: World, fleet: Fleet): Promise<ActCounts> => {
  const { scheduler, topology } = world
  fleet.startAll()
  const acts = letUsersAct(world)
  unleash(world, fleet)
  const busyMs = topology.acts * topology.actEveryMs
  await scheduler.run({ time: scheduler.now() + busyMs + 5000 })
  return acts
}

/** Liveness: a random core is healed, the rest stays dead, and all must be well within the bound. */
const comeToRest = async (world: World, fleet: Fleet, oracle: Safety): Promise<void> => {
  const { scheduler, faults, bus } = world
  faults.heal()
  bus.restart()
  fleet.core()
  const end = scheduler.now() + convergeMs
  let unkept: Unkept | undefined
  do {
    await scheduler.run({ time: scheduler.now() + lookMs })
    unkept = notYet(world, oracle)
  } while (unkept !== undefined && scheduler.now() < end)
  mustBeSo(unkept)
  const before = mutations(world)
  await scheduler.run({ time: scheduler.now() + quietMs })
  mustBeSo(notYet(world, oracle))
  const [extra] = mutations(world).slice(before.length)
  // What still was on its way when all was well first may end; what begins anew goes on for ever.
  if (extra !== undefined) {
    const again = mutations(world).length
    await scheduler.run({ time: scheduler.now() + 2 * quietMs })
    const [hot] = mutations(world).slice(again)
    if (hot !== undefined) throw new Violation('L1', `nothing changes, and yet: ${hot}`)
  }
}

/** Everything that changed something outside of us, in words. */
const mutations = ({ ledger }: World): readonly string[] =>
  ledger.entries.flatMap((entry) => {
    if (entry.kind === 'kube-write')
      return [`${entry.write.by} writes ${entry.write.after.metadata.name}`]
    if (entry.kind === 'provider') return [`${entry.act.by} ${entry.act.act}s ${entry.act.ref}`]
    return []
  })
