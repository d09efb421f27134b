import { runSchedule } from '../run.ts'
import { beliefBugs } from './belief-bugs.ts'
import type { PlantedBug } from './bug.ts'
import { driverBugs } from './driver-bugs.ts'
import { logBugs } from './log-bugs.ts'
import { watcherBugs } from './watcher-bugs.ts'

export const plantedBugs: readonly PlantedBug[] = [
  ...logBugs,
  ...beliefBugs,
  ...driverBugs,
  ...watcherBugs,
]

/** How one hunt for a bug ended. */
export interface Hunt {
  /** Schedules until it was found; undefined when it was not within the bug's own limit. */
  readonly schedules: number | undefined
  readonly promise: string
  readonly problem: string
  readonly seed: string
}

/** Runs seeds with the bug until one breaks a promise that the same seed without it keeps. */
export const hunt = async (bug: PlantedBug, from: number): Promise<Hunt> => {
  const { plants, within } = bug
  for (let number = 0; number < within; number += 1) {
    const seed = String(from + number)
    const { violation } = await runSchedule({ seed, plants, strict: true })
    if (violation === undefined) continue
    // An open finding of the product is no proof that the planted one was found.
    const plain = await runSchedule({ seed, strict: true })
    if (plain.violation?.promise === violation.promise) continue
    const { promise, message } = violation
    return { schedules: number + 1, promise, problem: message, seed }
  }
  return { schedules: undefined, promise: '', problem: '', seed: '' }
}

const hunts = 3
const apart = 10_000

/** Hunts each bug several times over different seeds, and prints the table; whether all were found. */
export const findPlanted = async (
  named: string | undefined,
  tell: (line: string) => void,
): Promise<boolean> => {
  const bugs = plantedBugs.filter(({ name }) => named === undefined || name.includes(named))
  const rows: string[] = []
  let found = 0
  for (const bug of bugs) {
    const ended: Hunt[] = []
    for (let number = 0; number < hunts; number += 1) {
      ended.push(await hunt(bug, 1 + number * apart))
    }
    const row = rowOf(bug, ended)
    tell(row)
    rows.push(row)
    if (ended.every(({ schedules }) => schedules !== undefined)) found += 1
  }
  tell(`found ${found} of ${bugs.length} planted bugs, each in every one of ${hunts} hunts`)
  return found === bugs.length
}

const rowOf = (bug: PlantedBug, ended: readonly Hunt[]): string => {
  const needed = ended.map(({ schedules }) => schedules ?? Infinity).toSorted((a, b) => a - b)
  const median = needed[Math.floor(needed.length / 2)]
  const promises = [...new Set(ended.map(({ promise }) => promise))].filter(Boolean).toSorted()
  return `| ${bug.name} | ${promises.join(', ')} | ${median} | ${needed.at(-1)} | ${bug.within} |`
}
