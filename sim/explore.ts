import { count, missing, noTotals, summaryOf } from './report/summary.ts'
import { commandFor } from './replay.ts'
import { runSchedule } from './run.ts'

export interface ExploreOptions {
  readonly seconds: number
  readonly schedules: number
  /** The first seed. */
  readonly from: number
  readonly tell: (line: string) => void
}

const progressSeconds = 10
/** One seed of so many is run twice, and must take the same steps. */
const auditEvery = 100

/** Runs seeds, one after the other, until the time is up; whether every promise was kept. */
export const explore = async (options: ExploreOptions): Promise<boolean> => {
  const { tell, from } = options
  const totals = noTotals()
  const began = Date.now()
  const spent = (): number => (Date.now() - began) / 1000
  let told = 0
  let broken = 0
  for (let number = 0; number < options.schedules && spent() < options.seconds; number += 1) {
    const seed = String(from + number)
    const outcome = await runSchedule({ seed })
    count(totals, outcome)
    if (number % auditEvery === 0) {
      const again = await runSchedule({ seed })
      if (again.fingerprint !== outcome.fingerprint) {
        tell(`seed ${seed} did something else the second time: a source of chance is not ours`)
        broken += 1
      }
    }
    const { violation } = outcome
    if (violation !== undefined) {
      broken += 1
      tell(`${violation.promise}: ${violation.message}`)
      tell(`  ${commandFor(seed)}`)
    }
    if (spent() - told >= progressSeconds) {
      told = spent()
      tell(`${Math.round(told)} s: ${totals.schedules} schedules, ${totals.steps} steps`)
    }
  }
  for (const line of summaryOf(totals, spent())) tell(line)
  const never = missing(totals)
  if (never.length > 0) tell(`never injected, run longer: ${never.join(', ')}`)
  return broken === 0
}
