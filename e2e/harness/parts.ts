// The processes of a platform from outside: their pid files, a crash on request, and their return.
import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessIdentity } from '@weir/embedded'
import { eventually } from '@weir/testing'
import { processIn, variableOf } from './processes.ts'

export const services = ['watcher', 'allocator', 'provisioner', 'gc', 'edge', 'api'] as const
export const parts = [...services, 'nats', 'postgres'] as const
export type Part = (typeof parts)[number]

const pidFiles: Readonly<Partial<Record<Part, string>>> = {
  nats: 'nats/store.pid',
  postgres: 'postgres/data.pid',
}

/** A platform's processes by the name of their part. */
export interface Parts {
  /** The process that runs now. */
  running(part: Part): ProcessIdentity | undefined
  /** Sends a signal to the process that runs now. */
  signal(part: Part, signal: NodeJS.Signals): void
  /** SIGKILL; resolves when that process is gone. */
  crash(part: Part): Promise<void>
  /** Resolves when a process other than `before` runs and, of a service, says that it is ready. */
  returned(part: Part, before?: ProcessIdentity): Promise<void>
  /** Crashes a part and waits for its return. */
  kill(part: Part): Promise<void>
  /** Total loss of the bus: every JetStream file goes, and nats-server crashes. */
  wipeBus(): Promise<void>
}

export const partsOf = (state: string): Parts => {
  const running = (part: Part): ProcessIdentity | undefined =>
    processIn(join(state, pidFiles[part] ?? `run/${part}.pid`))

  const must = (part: Part): ProcessIdentity => {
    const found = running(part)
    if (found) return found
    throw new Error(`${part} does not run`)
  }
  const signal = (part: Part, name: NodeJS.Signals): void => void process.kill(must(part).pid, name)

  const crash = async (part: Part): Promise<void> => {
    const { pid } = must(part)
    process.kill(pid, 'SIGKILL')
    await eventually(() => running(part)?.pid !== pid)
  }
  const returned = async (part: Part, before?: ProcessIdentity): Promise<void> => {
    await eventually(() => comesBack(running(part), part, before), { deadlineMs: 40_000 })
  }
  const kill = async (part: Part): Promise<void> => {
    const before = must(part)
    await crash(part)
    await returned(part, before)
  }
  const wipeBus = async (): Promise<void> => {
    const store = join(state, 'nats/store/jetstream')
    const before = must('nats')
    // The files go first: what starts after the crash can find none of them.
    if (existsSync(store)) renameSync(store, `${store}.lost`)
    await crash('nats')
    rmSync(`${store}.lost`, { recursive: true, force: true })
    await returned('nats', before)
  }
  return { running, signal, crash, returned, kill, wipeBus }
}

const comesBack = async (
  now: ProcessIdentity | undefined,
  part: Part,
  before: ProcessIdentity | undefined,
): Promise<boolean> => {
  if (now === undefined || now.pid === before?.pid) return false
  const port = variableOf(now.pid, 'HEALTH_PORT')
  if (part === 'nats' || part === 'postgres') return true
  if (port === undefined) return false
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined)
  return answer?.ok === true
}
