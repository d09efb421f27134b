import { availableParallelism, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { loads, ways, type Cell, type Load, type Way } from './dataplane/cells.ts'
import { measure } from './dataplane/load.ts'
import { tablesOf, verdictsOf } from './dataplane/report.ts'
import { openStage, stageProblem, type Stage } from './dataplane/stage.ts'
import type { Bench } from './main.ts'

const tell = (line: string): void => console.error(line)

/**
 * The kernel edge against a direct connection to the same node port over as many hops, with Envoy, HAProxy
 * and the userspace edge beside it: throughput, round trips, requests and new connections, in turns.
 */
export const benchDataplane: Bench = async (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1' },
      only: { type: 'string', multiple: true },
    },
  })
  const problem = await stageProblem()
  if (problem !== undefined) {
    console.error(`the data planes can't be measured here: ${problem}`)
    process.exitCode = 2
    return
  }
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)]
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const chosen = ways.filter((way) => way === 'direct' || (values.only?.includes(way) ?? true))
  const stage = await openStage(tell)
  try {
    const before = (loadavg()[0] ?? 0).toFixed(1)
    const cells = await runRounds({ stage, rounds, seconds, chosen, signal: stop.signal })
    console.log(
      `${availableParallelism()} processors, ${rounds} rounds of ${seconds} s, medians; load average ` +
        `before: ${before}, after: ${(loadavg()[0] ?? 0).toFixed(1)}\n`,
    )
    console.log(tablesOf(cells))
    console.log(`\n${verdictsOf(cells).join('\n')}`)
  } finally {
    await stage.close()
  }
}

interface Plan {
  readonly stage: Stage
  readonly rounds: number
  readonly seconds: number
  readonly chosen: readonly Way[]
  readonly signal: AbortSignal
}

const runRounds = async (plan: Plan): Promise<readonly Cell[]> => {
  const cells: Cell[] = []
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const load of loads) {
      tell(`round ${round + 1} of ${plan.rounds}: ${load}`)
      // Side by side in time, and each is first and last in turns, so that a busy moment hits all.
      for (const way of rotated(plan.chosen, round)) {
        plan.signal.throwIfAborted()
        cells.push(await runCell(plan, { round, load, way }))
      }
    }
  }
  return cells
}

const runCell = async (
  { stage, seconds }: Plan,
  at: { readonly round: number; readonly load: Load; readonly way: Way },
): Promise<Cell> => {
  const { lab, spaces } = stage
  const place = stage.places.get(at.way)
  if (place === undefined) throw new Error(`there is no way ${at.way}`)
  await stage.turnTo(at.way)
  const measured = await measure({ ...at, lab, spaces, place, seconds })
  const numbers = Object.entries(measured.numbers).map(
    ([name, value]) => `${name} ${value.toFixed(1)}`,
  )
  tell(`  ${at.way.padEnd(10)} ${numbers.join(', ')}`)
  return { ...measured, round: at.round }
}

const rotated = <T>(all: readonly T[], by: number): readonly T[] => [
  ...all.slice(by % all.length),
  ...all.slice(0, by % all.length),
]
