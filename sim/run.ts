import { Bug, explainError } from '@weir/kernel'
import { createFaultPlan, type Counts } from './faults.ts'
import type { Plants } from './hosts/machine.ts'
import { reasonKnown } from './known-findings.ts'
import { mustBeSo, notYet, type Unkept } from './promises/liveness.ts'
import { watchSafety, type Safety } from './promises/safety.ts'
import { Violation } from './promises/violation.ts'
import { createRandom } from './scheduler/random.ts'
import { byChance, createScheduler, type Choice } from './scheduler/scheduler.ts'
import { installTripwires, turn, type Tripwires } from './scheduler/tripwires.ts'
import { letUsersAct, type ActCounts } from './workload/users.ts'
import { unleash } from './world/chaos.ts'
import { createFleet, type Fleet } from './world/fleet.ts'
import type { Ledger } from './truth/ledger.ts'
import { drawTopology, type Topology } from './world/topology.ts'
import { createWorld, type World } from './world/world.ts'

export interface ScheduleOptions {
  readonly seed: string
  readonly plants?: Plants
  /** Open findings of the product are violations like any other. */
  readonly strict?: boolean
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
  /** What happened, for whoever asks why. */
  readonly ledger: Ledger | undefined
  /** Open findings that were met and stepped over, by their reasons. */
  readonly known: ReadonlyMap<string, number>
  readonly violation?: Violation
}

const start = Date.UTC(2026, 0, 1)

/** Bounds in virtual time: for everything to be as it should, and for nothing to happen after that. */
export const convergeMs = 20 * 60_000
export const quietMs = 75_000
const lookMs = 5000
const quietWindows = 6
const openMs = 3 * 60_000

/** One schedule: users act and faults strike, then faults stop, and all must come to rest. */
export const runSchedule = async (options: ScheduleOptions): Promise<Outcome> => {
  const random = createRandom(options.seed)
  const drawn = drawTopology(random.fork('topology'))
  const topology = options.shape?.(drawn) ?? drawn
  const faults = createFaultPlan(topology.chances, random.fork('faults'))
  const broken: Violation[] = []
  const at: { safety?: Safety; tripwires?: Tripwires; world?: World; fleet?: Fleet } = {}
  const known = new Map<string, number>()
  const tolerate = ({ promise, message }: Violation): boolean => {
    const reason = options.strict === true ? undefined : reasonKnown(promise, message)
    if (reason !== undefined) known.set(reason, (known.get(reason) ?? 0) + 1)
    return reason !== undefined
  }
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
    at.world = world
    at.safety = watchSafety(world)
    const fleet = createFleet({
      world,
      plants: options.plants ?? {},
      onBroken: (who, error) => void broken.push(brokenBy(who, error)),
    })
    at.fleet = fleet
    acts = await live(world, fleet)
    await comeToRest(world, fleet, { oracle: at.safety, tolerate })
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    // What comes after a broken promise of safety is its consequence, so an open finding ends it here.
    if (!tolerate(error)) violation = error
  } finally {
    at.fleet?.endAll()
    await turn()
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
    ledger: at.world?.ledger,
    known,
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

interface Judge {
  readonly oracle: Safety
  readonly tolerate: (violation: Violation) => boolean
}

/** Liveness: a random core is healed, the rest stays dead, and all must be well within the bound. */
const comeToRest = async (world: World, fleet: Fleet, judge: Judge): Promise<void> => {
  const { scheduler, faults, bus } = world
  const { oracle, tolerate } = judge
  faults.heal()
  bus.restart()
  fleet.core()
  const began = scheduler.now()
  for (;;) {
    await converge(world, oracle, began)
    mustBeSo(notYet(world, oracle), tolerate)
    await becomeQuiet(world)
    // Time itself changes what is due: an address may have come free for somebody who waits.
    const unkept = notYet(world, oracle)
    if (isOpen(unkept)) return mustBeSo(unkept, tolerate)
    if (scheduler.now() > began + convergeMs) return mustBeSo(unkept, tolerate)
  }
}

/** Resolves when all is as promised, or the bound is reached. */
const converge = async (world: World, oracle: Safety, began: number): Promise<void> => {
  const { scheduler } = world
  while (scheduler.now() < began + convergeMs) {
    await scheduler.run({ time: scheduler.now() + lookMs })
    const unkept = notYet(world, oracle)
    // What is only an open finding is not waited for until the end.
    if (unkept.length === 0 || (isOpen(unkept) && scheduler.now() > began + openMs)) return
  }
}

const isOpen = (unkept: readonly Unkept[]): boolean =>
  unkept.every(({ promise, problem }) => reasonKnown(promise, problem))

/** What was still on its way may end; what never ends is a hot loop. */
const becomeQuiet = async (world: World): Promise<void> => {
  let last: string | undefined
  for (let window = 0; window < quietWindows; window += 1) {
    const before = mutations(world).length
    await world.scheduler.run({ time: world.scheduler.now() + quietMs })
    last = mutations(world)[before]
    if (last === undefined) return
  }
  throw new Violation('L1', `nothing changes, and yet: ${last}`)
}

/** Everything that changed something outside of us, in words. */
const mutations = ({ ledger }: World): readonly string[] =>
  ledger.entries.flatMap((entry) => {
    if (entry.kind === 'kube-write')
      return [`${entry.write.by} writes ${entry.write.after.metadata.name}`]
    if (entry.kind === 'provider') return [`${entry.act.by} ${entry.act.act}s ${entry.act.ref}`]
    return []
  })
