import { execFileSync } from 'node:child_process'
import { runSchedule, type Outcome, type ScheduleOptions } from './run.ts'
import { tellStory, uidsIn } from './report/tell.ts'
import type { Choice } from './scheduler/scheduler.ts'

const lastSteps = 60

/**
 * Runs a seed twice, the second time against the labels of the first, and says what happened.
 * @throws Divergence when the two runs are not the same.
 */
export const replay = async (
  options: ScheduleOptions,
  tell: (line: string) => void,
  grep?: RegExp,
): Promise<Outcome> => {
  const choices: Choice[] = []
  const first = await runSchedule({ ...options, trace: (choice) => void choices.push(choice) })
  const again = await runSchedule({ ...options, expected: first.labels })
  const { violation, ledger } = first
  const uids = violation === undefined ? [] : uidsIn(violation.message)
  tell(`what happened${uids.length > 0 ? ` around ${uids.join(' and ')}` : ''}:`)
  for (const line of ledger === undefined ? [] : tellStory(ledger, uids)) tell(line)
  tell('')
  const shown =
    grep === undefined
      ? choices.slice(-lastSteps)
      : choices.filter((choice) => grep.test(choice.label) || grep.test(choice.detail))
  tell(`${shown.length} of ${choices.length} steps:`)
  for (const choice of shown) tell(stepLine(choice, choices[0]?.at ?? 0))
  tell('')
  tell(`run again, it took the same ${again.steps} steps`)
  tell(
    violation === undefined
      ? 'no promise was broken'
      : `${violation.promise}: ${violation.message}`,
  )
  return first
}

const stepLine = ({ at, label, detail, of }: Choice, began: number): string =>
  `${((at - began) / 1000).toFixed(3).padStart(10)} s  ${label} (1 of ${of})  ${detail.slice(0, 200)}`

/** The one line that brings a failure back. */
export const commandFor = (seed: string): string =>
  `npm run sim -- --seed ${seed} --commit ${commitNow()}`

export const commitNow = (): string => {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim()
  } catch {
    return 'unknown'
  }
}
