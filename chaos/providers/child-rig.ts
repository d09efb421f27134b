// A provider's rig as a process of its own, which says in one line of JSON where it is.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

export interface ChildRig<Line> {
  readonly line: Line
  readonly pid: number
  stop(): Promise<void>
}

const root = resolve(import.meta.dirname, '../..')

/** Starts `main` and waits for its first line that is a JSON object. @throws when it ends before */
export const startRig = async <Line>(
  main: string,
  env: Readonly<Record<string, string>>,
): Promise<ChildRig<Line>> => {
  const args = ['--disable-warning=ExperimentalWarning', resolve(root, main)]
  // A group of its own: Ctrl-C reaches us alone, and we stop it in order.
  const child = spawn(process.execPath, args, {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = once(child, 'exit')
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  for await (const text of createInterface({ input: child.stdout })) {
    if (!text.startsWith('{')) continue
    child.stdout.resume()
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM')
      await ended
    }
    return { line: JSON.parse(text) as Line, pid: child.pid ?? 0, stop }
  }
  throw new Error(`${main} ended before it was ready; it said:\n${said}`)
}
