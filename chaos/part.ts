// A process of the platform that is started again whenever it ends, as a service manager would, and that
// the faults can kill, pause and let go on.
import { systemClock } from '@weir/kernel'

/** A process that runs, as `startChild` and the servers of `@weir/embedded` give it. */
export interface Running {
  readonly pid: number
  readonly ended: Promise<string>
  /** What it wrote last. */
  lastWords?(): string
  stop(): Promise<void>
  kill(): Promise<void>
}

export interface Part {
  readonly name: string
  readonly pid: () => number | undefined
  /** SIGKILL; it comes back by itself. Does nothing while it is down. */
  kill(): Promise<void>
  /** SIGSTOP; the end continues it. A process that was killed meanwhile is none of its business. */
  pause(): () => void
  /** Stays down until the end is called. `meanwhile` runs when it is down. */
  holdDown(meanwhile?: () => void): Promise<() => void>
  /** Resolves when it runs and answers. */
  up(): Promise<void>
  stop(): Promise<void>
  /** How it ended without being asked to, and not by us, each time, and the last line that it wrote. */
  readonly surprises: () => readonly string[]
}

export interface PartOptions {
  readonly name: string
  readonly start: () => Promise<Running>
  /** Whether it answers; asked until it does. */
  readonly ready: () => Promise<boolean>
}

const lastLine = (running: Running): string =>
  running.lastWords?.().split('\n').at(-1)?.slice(0, 600) ?? ''

const restartMs = 400
const readyDeadlineMs = 90_000

export const startPart = async ({ name, start, ready }: PartOptions): Promise<Part> => {
  const surprises: string[] = []
  let current: Running | undefined = await start()
  const stopping = new AbortController()
  let held = 0
  let expected = false
  let starting: Promise<void> = Promise.resolve()

  const watch = (running: Running): void => {
    void running.ended.then((how) => {
      if (current !== running) return
      current = undefined
      if (stopping.signal.aborted) return
      if (!expected) surprises.push(`${how}: ${lastLine(running)}`)
      expected = false
      starting = again()
    })
  }
  const again = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await systemClock.sleep(restartMs)
      if (stopping.signal.aborted || held > 0) continue
      const started = await start().catch(() => undefined)
      if (started === undefined) continue
      current = started
      watch(started)
      return
    }
  }
  watch(current)
  const kill = async (): Promise<void> => {
    if (current === undefined) return
    expected = true
    await current.kill()
  }
  return {
    name,
    pid: () => current?.pid,
    kill,
    pause: () => {
      const pid = current?.pid
      signal(pid, 'SIGSTOP')
      return () => signal(pid, 'SIGCONT')
    },
    holdDown: async (meanwhile) => {
      held += 1
      await kill()
      meanwhile?.()
      return () => void (held -= 1)
    },
    up: async () => {
      const deadline = systemClock.now() + readyDeadlineMs
      while (systemClock.now() < deadline) {
        if (current !== undefined && (await ready().catch(() => false))) return
        await systemClock.sleep(100)
      }
      throw new Error(`${name} did not come up in ${readyDeadlineMs / 1000} s`)
    },
    stop: async () => {
      stopping.abort()
      held = 0
      await starting
      signal(current?.pid, 'SIGCONT')
      await current?.stop()
    },
    surprises: () => surprises,
  }
}

const signal = (pid: number | undefined, name: NodeJS.Signals): void => {
  if (pid === undefined) return
  try {
    process.kill(pid, name)
  } catch {
    // It is gone, which a fault may well have seen to.
  }
}
