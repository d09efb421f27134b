// The process of `program-runner.ts`: runs what it is told to, and ends with whom it runs it for.
import { explainError } from '@weir/kernel'
import type { Outcome, Wish } from './program-runner.ts'
import { runProgram } from './run-program.ts'

// Ctrl-C is for all of a terminal's processes; this one's last work may still come.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)

const answer = (outcome: Outcome): void => {
  // Whoever asked may have gone.
  if (process.connected) process.send?.(outcome, undefined, undefined, () => undefined)
}

const parent = process.ppid

process.on('message', ({ id, argv, input }: Wish) => {
  // Killed meanwhile: its successor may be at work, and knows nothing of this.
  if (process.ppid !== parent) return
  runProgram(argv, input).then(
    (said) => answer({ id, said }),
    (error: unknown) => answer({ id, problem: explainError(error) }),
  )
})
