import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '@weir/kernel'
import { seededRandom } from '@weir/testing'
import type { Arguments } from './arguments.ts'
import { createChurn, prepareCluster, type Churn } from './churn.ts'
import { commit } from './crime.ts'
import { createFaults, type Faults } from './faults.ts'
import { isClean, judge, type Verdict } from './judge.ts'
import { startAws } from './providers/aws.ts'
import { watchEdge } from './providers/edge.ts'
import { startOctaviaProvider } from './providers/octavia.ts'
import type { Provider } from './providers/provider.ts'
import { tableOf, tooLittle } from './report.ts'
import { approveCleanup, configureDrivers, nameInstances } from './set-up.ts'
import { setStage, type Stage } from './stage.ts'
import { createTruth, type Truth } from './truth.ts'

const exitCodes = { well: 0, wrong: 1, doesNotCount: 2 } as const
/** How long the platform has, once nothing disturbs it, to be as it should. */
const peaceMs = 180_000
/** How long nothing may be wrong before it counts as clean. */
const steadyMs = 5_000
/** Faults stop this long before a run of minutes shall be over. */
const spareMs = 60_000
/** One storm is at most this long; then there is peace, and a verdict, before the next. */
const stormMs = 300_000

/** Runs it and prints the table. Nothing is left running, however it ends. */
export const runChaos = async (wish: Arguments, stop: AbortSignal): Promise<number> => {
  const stops: (() => Promise<void>)[] = []
  const began = systemClock.now()
  const say = (line: string): void => {
    const at = ((systemClock.now() - began) / 1000).toFixed(0).padStart(5)
    console.error(`${at} s  ${line}`)
  }
  say(`seed ${wish.seed}`)
  let keep = false
  try {
    const onStop = (end: () => Promise<void>): void => void stops.push(end)
    const running = run({ wish, stop, say, onStop, began })
    const code = await Promise.race([running, aborted(stop)])
    keep = wish.keep && code !== exitCodes.well
    return code
  } finally {
    // The first to be noted removes the folder: it is the last to be called.
    const [removeFolder, ...rest] = stops
    for (const end of rest.toReversed()) {
      await Promise.resolve()
        .then(end)
        .catch((error: unknown) => say(String(error)))
    }
    if (!keep) await removeFolder?.()
    else say('the folder with all logs stays')
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    const end = (): void => reject(signal.reason as Error)
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })

interface Setting {
  readonly wish: Arguments
  readonly stop: AbortSignal
  readonly say: (line: string) => void
  readonly onStop: (end: () => Promise<void>) => void
  readonly began: number
}

interface World {
  readonly stage: Stage
  readonly providers: readonly Provider[]
  readonly truth: Truth
  readonly churn: Churn
  readonly faults: Faults
}

const run = async (setting: Setting): Promise<number> => {
  const { wish, say, began } = setting
  const world = await open(setting)
  const until = began + wish.minutes * 60_000 - spareMs
  const convergence: number[] = []
  let stormed = 0
  let verdict: Verdict
  do {
    const left = Math.max(20_000, until - systemClock.now())
    // Two halves rather than a long one and a rest of seconds.
    const lasts = left > stormMs * 1.5 ? stormMs : left
    await storm(world, setting, lasts)
    stormed += lasts
    const found = await peace(world, setting)
    convergence.push(found.seconds)
    verdict = found.verdict
  } while (isClean(verdict) && systemClock.now() + 30_000 < until)
  if (isClean(verdict) && wish.plant !== undefined) {
    verdict = await commit(wish.plant, world, say)
  } else if (isClean(verdict)) {
    verdict = await goodbye(world, setting)
  }
  return tell(world, setting, { stormed, convergence, verdict })
}

const open = async ({ wish, say, onStop }: Setting): Promise<World> => {
  // Octavia takes longest, and needs nothing of ours.
  const cloud = wish.drivers.includes('octavia')
    ? startOctaviaProvider(seededRandom(wish.seed ^ 0x0c7a))
    : undefined
  cloud?.catch(() => undefined) // told below, where it is waited for
  const stage = await setStage(say, onStop)
  if (cloud !== undefined) onStop(async () => (await cloud).stop())
  const providers: Provider[] = []
  if (wish.drivers.includes('edge')) providers.push(watchEdge(stage.edgeState, stage.addresses))
  if (wish.drivers.includes('aws')) {
    const place = { folder: join(stage.folder, 'run'), env: stage.environment }
    const aws = await startAws(place, stage.nodes)
    onStop(() => aws.stop())
    providers.push(aws)
  }
  if (cloud !== undefined) providers.push(await cloud)
  await configureDrivers(stage.api, providers)
  await approveCleanup(stage.api)
  await nameInstances(stage)
  await prepareCluster(stage.kube)
  say(`drivers: ${providers.map(({ name }) => name).join(', ')}`)
  // Acts and faults have dice of their own: how fast one of them goes does not change the other.
  const [forActs, forFaults] = [seededRandom(wish.seed), seededRandom(wish.seed ^ 0x5eed)]
  const { kube, databaseUrl } = stage
  const drivers = providers.map(({ name }) => name)
  return {
    stage,
    providers,
    truth: createTruth({ kube, databaseUrl, providers }),
    churn: createChurn({ kube, dice: forActs, drivers, slots: 24, perSecond: wish.rate }),
    faults: createFaults({ stage, providers, dice: forFaults, say }),
  }
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, each) => sum + each, 0)

/** Users act and faults strike; a line every ten seconds says how far it is. */
const storm = async (world: World, { say, stop }: Setting, lastsMs: number): Promise<void> => {
  const { churn, faults, providers } = world
  say(`a storm of ${(lastsMs / 1000).toFixed(0)} s begins`)
  const over = AbortSignal.any([stop, AbortSignal.timeout(lastsMs)])
  const progress = async (): Promise<void> => {
    while (!over.aborted) {
      await systemClock.sleep(10_000, over)
      const done = `${total(churn.done())} acts, ${churn.failed()} failed`
      say(`${done}, ${total(faults.counts())} faults`)
    }
  }
  const looking = async (): Promise<void> => {
    while (!over.aborted) {
      await Promise.all(providers.map((each) => each.look().catch(() => undefined)))
      await systemClock.sleep(400, over)
    }
  }
  await Promise.all([churn.run(over), faults.run(over), progress(), looking()])
}

/** Waits until nothing is wrong for a while, or until there was time enough. */
const peace = async (
  { truth }: World,
  { say, stop }: Setting,
): Promise<{ readonly seconds: number; readonly verdict: Verdict }> => {
  const began = systemClock.now()
  let cleanSince: number | undefined
  let said = began
  say('peace')
  for (;;) {
    if (stop.aborted) throw stop.reason as Error
    const verdict = await truth.gather().then(judge, unread)
    const now = systemClock.now()
    cleanSince = isClean(verdict) ? (cleanSince ?? now) : undefined
    if (cleanSince !== undefined && now - cleanSince >= steadyMs) {
      const seconds = (cleanSince - began) / 1000
      say(`clean after ${seconds.toFixed(1)} s`)
      return { seconds, verdict }
    }
    if (now - began > peaceMs) return { seconds: (now - began) / 1000, verdict }
    if (now - said > 10_000) {
      say(`not yet: ${countsOf(verdict)}`)
      said = now
    }
    await systemClock.sleep(500)
  }
}

/** What cannot be read is not clean. */
const unread = (error: unknown): Verdict => ({
  leaked: [],
  wronglyDeleted: [],
  stuck: [`the world could not be read: ${String(error).slice(0, 300)}`],
  unintended: [],
})

const countsOf = (verdict: Verdict): string =>
  Object.entries(verdict)
    .map(([name, all]: [string, readonly string[]]) => `${name} ${all.length}`)
    .join(', ')

/** Every Service goes: then nothing at all may be left. */
const goodbye = async (world: World, setting: Setting): Promise<Verdict> => {
  setting.say('every Service is deleted')
  await world.churn.removeAll()
  const { verdict } = await peace(world, setting)
  return verdict
}

interface Outcome {
  readonly stormed: number
  readonly convergence: readonly number[]
  readonly verdict: Verdict
}

const tell = async (world: World, { wish, say }: Setting, outcome: Outcome): Promise<number> => {
  const { churn, faults, providers, stage, truth } = world
  const parts = [...stage.services, stage.postgres, stage.nats]
  const surprises = parts.flatMap(({ name, surprises: all }) =>
    all().map((how) => `${name}: ${how}`),
  )
  const changes: Record<string, { create: number; delete: number }> = {}
  for (const each of providers) {
    const all = await each.changes()
    const count = (effect: string): number => all.filter((one) => one.effect === effect).length
    changes[each.name] = { create: count('create'), delete: count('delete') }
  }
  const results = {
    seed: wish.seed,
    minutes: outcome.stormed / 60_000,
    churn: churn.done(),
    asked: churn.asked(),
    refused: churn.failed(),
    faults: faults.counts(),
    surprises,
    convergence: outcome.convergence,
    log: await truth.log(),
    changes,
    verdict: outcome.verdict,
  }
  console.log(tableOf(results))
  for (const how of surprises) say(`ended by itself: ${how}`)
  for (const [what, all] of Object.entries(outcome.verdict) as [string, readonly string[]][]) {
    for (const each of all.slice(0, 40)) console.log(`${what}: ${each}`)
  }
  if (!isClean(outcome.verdict)) {
    const evidence = JSON.stringify(await truth.gather(), undefined, 1)
    writeFileSync(join(stage.folder, 'evidence.json'), evidence)
    return exitCodes.wrong
  }
  const little = tooLittle(
    results,
    providers.map(({ name }) => name),
  )
  if (little === undefined) return exitCodes.well
  console.log(`This run does not count: ${little}.`)
  return exitCodes.doesNotCount
}
