import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort } from '@weir/embedded'
import { kindAtHand } from '../cli/up/cluster-part.ts'
import { openFolder, openState, saveState } from '../cli/up/state.ts'
import { startPlatform, type Platform } from '../cli/up/up.ts'
import { processorTime, usedBetween } from './lifecycle/processor-time.ts'
import { report, type Comparison, type Round } from './lifecycle/report.ts'
import { labelOf, openStage, type Load, type Side, type Stage } from './lifecycle/stage.ts'

type Kind = Comparison['cluster']

const weir: Side = { name: 'weir', loadBalancerClass: undefined, answers: true }
const bare: Side = { name: 'bare', loadBalancerClass: 'bench.weir.dev/bare', answers: false }

const tell = (line: string): void => console.error(line)

/** A round of one load: both sides, one after the other. */
const measure = async (stage: Stage, load: Load, sides: readonly Side[]): Promise<Round> => {
  const round: Partial<Record<Side['name'], Round['weir']>> = {}
  for (const side of sides) {
    const before = processorTime()
    const lived = await stage.run(side, load)
    const used = usedBetween(before, processorTime())
    round[side.name] = { ...lived, used, loadAverage: loadavg()[0] ?? 0 }
    tell(
      `  ${side.name}: ${lived.perSecond.toFixed(1)} ready/s, ${lived.deletedPerSecond.toFixed(1)} deleted/s`,
    )
  }
  if (round.weir === undefined || round.bare === undefined) throw new Error('a side is missing')
  return { weir: round.weir, bare: round.bare }
}

const startBareClient = async (kubeconfigFile: string): Promise<ChildProcess> => {
  const args = [kubeconfigFile, labelOf('bare')]
  const child = fork(join(import.meta.dirname, 'lifecycle/bare-client.ts'), args)
  await once(child, 'message')
  return child
}

/** A platform of its own in `state`, on a port of its own: the usual one may be another's. */
const startOwn = async (cluster: Kind, state: string, signal: AbortSignal): Promise<Platform> => {
  const folder = openFolder(state)
  const fresh = await openState(folder)
  saveState(folder, { ...fresh, ports: { ...fresh.ports, api: await freePort() } })
  return startPlatform({ cluster, state }, signal)
}

interface Plan {
  readonly loads: readonly Load[]
  readonly rounds: number
  readonly signal: AbortSignal
}

/** Both loads on one minicluster, with a platform of its own that is gone afterwards. */
const compare = async (cluster: Kind, plan: Plan): Promise<readonly Comparison[]> => {
  const state = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const stops: (() => Promise<void>)[] = [async () => rmSync(state, { recursive: true })]
  try {
    const platform = await startOwn(cluster, join(state, '.weir'), plan.signal)
    stops.push(() => platform.stop())
    const client = await startBareClient(platform.kubeconfigFile)
    stops.push(async () => void client.kill('SIGKILL'))
    const stage = await openStage(platform.kubeconfigFile)
    stops.push(() => stage.close())
    tell('warming up')
    await measure(stage, { count: 30, perSecond: Infinity }, [bare, weir])
    const done: Comparison[] = []
    for (const load of plan.loads) {
      const rounds: Round[] = []
      for (let at = 0; at < plan.rounds && !plan.signal.aborted; at += 1) {
        tell(`${cluster}, ${load.count} Services, ${load.perSecond} per second, round ${at + 1}`)
        // In turns first, so that a busy moment of the machine hits both.
        rounds.push(await measure(stage, load, at % 2 === 0 ? [bare, weir] : [weir, bare]))
      }
      done.push({ cluster, load, rounds })
    }
    return done
  } finally {
    for (const stop of stops.toReversed()) await stop()
  }
}

const clustersFor = (wanted: string): readonly Kind[] => {
  if (wanted === 'simulated' || wanted === 'kubernetes') return [wanted]
  const env = Object.fromEntries(
    Object.entries(process.env).map(([name, value]) => [name, value ?? '']),
  )
  if (kindAtHand(env) === 'kubernetes') return ['simulated', 'kubernetes']
  tell('no programs of a real cluster are at hand; npm run binaries makes them')
  return ['simulated']
}

/**
 * N Services at once and at a pace, from their creation to a status and an answer and to their end,
 * against a bare client that makes the same writes on the same API server in the same run.
 */
export const benchLifecycle = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cluster: { type: 'string', default: 'both' },
      'at-once': { type: 'string', default: '500' },
      paced: { type: 'string', default: '100' },
      'per-second': { type: 'string', default: '10' },
      rounds: { type: 'string', default: '2' },
      output: { type: 'string', short: 'o', default: 'table' },
    },
  })
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => interrupted.abort())
  }
  const loads = [
    { count: Number(values['at-once']), perSecond: Infinity },
    { count: Number(values.paced), perSecond: Number(values['per-second']) },
  ].filter(({ count }) => count > 0)
  const plan = { loads, rounds: Number(values.rounds), signal: interrupted.signal }
  const done: Comparison[] = []
  for (const cluster of clustersFor(values.cluster)) done.push(...(await compare(cluster, plan)))
  const machine = `${availableParallelism()} cores, ${values.rounds} rounds`
  console.log(report(done, machine, values.output === 'json' ? 'json' : 'table'))
  process.exit() // the API client keeps idle sockets
}
