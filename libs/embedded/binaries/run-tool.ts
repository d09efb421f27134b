import { spawn } from 'node:child_process'
import { OperatingError } from '@weir/kernel'

export interface ToolRun {
  readonly cwd: string
  /** The caller's whole environment: pip and go find their settings and proxies there. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Called with each line the tool writes. */
  readonly onLine?: (line: string) => void
}

const KEPT_LINES = 20

/**
 * Runs a tool of this machine to its end.
 *
 * @throws OperatingError with the tool's last lines when it is missing or fails.
 */
export const runTool = async (
  tool: string,
  args: readonly string[],
  run: ToolRun,
): Promise<void> => {
  const child = spawn(tool, args, {
    cwd: run.cwd,
    env: { ...run.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const last: string[] = []
  let rest = ''
  const take = (text: string): void => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      run.onLine?.(line)
      if (last.push(line) > KEPT_LINES) last.shift()
    }
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', take)
  const outcome = await new Promise<number | string>((settle) => {
    child.once('error', (error) => settle(error.message))
    child.once('close', (code, signal) => settle(signal ?? code ?? 1))
  })
  if (outcome === 0) return
  const words = [...last, rest].join('\n').trim()
  throw new OperatingError(`${[tool, ...args.slice(0, 3)].join(' ')}: ${outcome}\n${words}`.trim())
}
