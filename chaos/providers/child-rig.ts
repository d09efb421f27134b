// A provider's rig as a process of its own, which says in one line of JSON where it is.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startChild } from '@weir/embedded'
import { systemClock } from '@weir/kernel'

export interface ChildRig<Line> {
  readonly line: Line
  stop(): Promise<void>
}

export interface ChildRigOptions {
  readonly name: string
  /** Relative to the root of the project. */
  readonly main: string
  /** Gets its log. */
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
}

const root = resolve(import.meta.dirname, '../..')
const deadlineMs = 60_000

/** Starts `main` and waits for its first line that is a JSON object. @throws when it ends before */
export const startRig = async <Line>(options: ChildRigOptions): Promise<ChildRig<Line>> => {
  const { name, folder, env } = options
  // It dies with us, as every child of `startChild` does.
  const child = await startChild({
    name,
    runDir: folder,
    program: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', resolve(root, options.main)],
    env,
    stopSignal: 'SIGTERM',
  })
  const deadline = systemClock.now() + deadlineMs
  while (child.how() === undefined && systemClock.now() < deadline) {
    const said = readFileSync(join(folder, `${name}.log`), 'utf8')
      .split('\n')
      .slice(0, -1)
    const line = said.find((each) => each.startsWith('{'))
    if (line !== undefined) return { line: JSON.parse(line) as Line, stop: () => child.stop() }
    await systemClock.sleep(50)
  }
  await child.kill()
  throw new Error(`${name} did not say where it is; it said:\n${child.lastWords()}`)
}
