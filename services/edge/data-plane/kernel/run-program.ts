import { spawn } from 'node:child_process'
import { OperatingError } from '@weir/kernel'

/**
 * Runs a program, gives it `input` and answers what it printed.
 * @throws OperatingError with what it said when it fails
 */
export type RunProgram = (argv: readonly string[], input?: string | Uint8Array) => Promise<string>

/** Runs programs in the namespace of this process. */
export const runProgram: RunProgram = (argv, input = '') =>
  new Promise((resolve, reject) => {
    const [program = '', ...rest] = argv
    const child = spawn(program, rest, { stdio: 'pipe' })
    const said: Buffer[] = []
    const complained: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => complained.push(chunk))
    child.on('error', (cause) => reject(new OperatingError(`cannot run ${program}`, { cause })))
    child.on('close', (code) => {
      if (code === 0) return resolve(Buffer.concat(said).toString())
      const why = Buffer.concat(complained).toString().trim().slice(0, 300)
      return reject(new OperatingError(`${argv.join(' ')} failed: ${why || `code ${code}`}`))
    })
    // A program that ended early is told of by its code.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
