import { spawn } from 'node:child_process'

/** How a program ended and what it said. */
export interface Ran {
  /** The exit code; 137 stands for SIGKILL after the deadline. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly input?: string
  readonly deadlineMs?: number
}

/** Runs a program to its end; one that does not end in time is killed. Never rejects for its exit code. */
export const run = (
  program: string,
  args: readonly string[],
  { env, cwd, input = '', deadlineMs = 60_000 }: RunOptions,
): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { env, cwd, stdio: 'pipe' })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdin.on('error', () => undefined).end(input)
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      resolve({ code: code ?? 137, stdout, stderr })
    })
  })

/** Words of a command line; a word with spaces is given as a list instead. */
export const words = (line: string | readonly string[]): readonly string[] =>
  typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line
