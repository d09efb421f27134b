import { fork } from 'node:child_process'
import { join } from 'node:path'
import { OperatingError } from '@weir/kernel'
import type { RunProgram } from './run-program.ts'

/** A program to run, and what is answered under the same number. */
export interface Wish {
  readonly id: number
  readonly argv: readonly string[]
  readonly input: string | Uint8Array
}
export type Outcome = { readonly id: number } & (
  | { readonly said: string }
  | { readonly problem: string }
)

export interface ProgramRunner {
  /** As `runProgram`. */
  readonly run: RunProgram
  /** Ends its process once the programs that run have ended. */
  stop(): Promise<void>
}

/**
 * Runs programs from a small process of its own, in the namespace of this one. To start a program the kernel copies
 * the page tables of who starts it, which takes 3 ms of an edge that has 50,000 frontends, a third of a transaction.
 * A process that ends is replaced with the next wish. It keeps nobody running, and goes when this one does, however
 * that ends.
 */
export const createProgramRunner = (): ProgramRunner => {
  let runner: Runner | undefined
  return {
    run: (...wish) => {
      if (runner === undefined || !runner.isAlive()) runner = startRunner()
      return runner.run(...wish)
    },
    stop: async () => runner?.stop(),
  }
}

type Runner = ProgramRunner & { isAlive(): boolean }

const startRunner = (): Runner => {
  const script = join(import.meta.dirname, 'program-runner-process.ts')
  const child = fork(script, { serialization: 'advanced' })
  const waiting = new Map<number, (outcome: Outcome) => void>()
  const settle = (outcome: Outcome): void => {
    const waits = waiting.get(outcome.id)
    waiting.delete(outcome.id)
    if (waiting.size === 0) child.channel?.unref()
    waits?.(outcome)
  }
  const failAll = (problem: string): void => {
    for (const id of waiting.keys()) settle({ id, problem })
  }
  let last = 0
  child.unref()
  child.channel?.unref()
  // One that could not be started has no end.
  const ended = new Promise<void>((resolve) => {
    for (const end of ['exit', 'error']) child.once(end, () => resolve())
  })
  child.on('message', settle)
  child.on('error', (error) => failAll(`cannot run programs: ${error.message}`))
  child.on('exit', () => failAll('what runs programs ended meanwhile'))
  return {
    isAlive: () => child.connected,
    run: (argv, input = '') =>
      new Promise((resolve, reject) => {
        const id = (last += 1)
        child.channel?.ref()
        waiting.set(id, (outcome) => {
          if ('said' in outcome) resolve(outcome.said)
          else reject(new OperatingError(outcome.problem))
        })
        const wish: Wish = { id, argv, input }
        child.send(wish, (error) => {
          if (error !== null) settle({ id, problem: `cannot run ${argv[0]}: ${error.message}` })
        })
      }),
    stop: async () => {
      child.ref()
      if (child.connected) child.disconnect()
      await ended
    },
  }
}
