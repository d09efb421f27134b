import type { Clock, Ids } from '@weir/kernel'
import type { Random } from './random.ts'
import type { Continuing, Scheduler } from './scheduler.ts'

/** What becomes of one call on its way there and back. */
export interface Fate {
  /** Milliseconds until it arrives, and from its effect to its answer. */
  readonly thereMs: number
  readonly backMs: number
  /** It never takes effect, and the caller is told this. */
  readonly fails?: Error
  /** It takes effect, and the caller is told this instead of the answer. */
  readonly lost?: Error
  /** It takes effect once more, a while later. */
  readonly againMs?: number
  /** The caller ends right before the effect, which never happens, or right after it. */
  readonly crash?: { readonly when: 'before' | 'after'; readonly kill: () => void }
}

export const plainFate: Fate = { thereMs: 0, backMs: 0 }

export interface Call {
  readonly label: string
  readonly detail?: () => string
  readonly fate: Fate
}

/** One incarnation of a process: everything it does goes through here, and ends with it. */
export interface Actor extends Continuing {
  readonly name: string
  /** The virtual clock, as far off as this machine's is. */
  readonly clock: Clock
  readonly ids: Ids
  /** Ends it between two steps: nothing it waits for ever comes back. */
  kill(): void
  /** Gives back how to take the handler away again. */
  onDeath(handle: () => void): () => void
  pause(until: number): void
  /** Its machine's clock is set forward or back. */
  jump(ms: number): void
  /** A call of a port: it arrives and takes effect at one step, and is answered at another. */
  call<T>(what: Call, effect: () => Promise<T>): Promise<T>
  /** Something that comes to this process by itself, such as a message or a hint. */
  deliver(label: string, run: () => void, inMs?: number): void
}

export const createActor = (name: string, scheduler: Scheduler, random: Random): Actor => {
  const deaths = new Set<() => void>()
  let isAlive = true
  let pausedUntil = 0
  let offset = 0

  const self: Actor = {
    name,
    alive: () => isAlive,
    pausedUntil: () => pausedUntil,
    clock: {
      now: () => scheduler.now() + offset,
      sleep: (ms, signal) => sleepOn(scheduler, `${name} wakes`, { ms, signal, of: self }),
    },
    ids: { uuid: () => random.uuid(), random: () => random.next() },
    kill: () => {
      isAlive = false
      for (const handle of deaths) handle()
      deaths.clear()
    },
    onDeath: (handle) => {
      deaths.add(handle)
      return () => deaths.delete(handle)
    },
    pause: (until) => {
      pausedUntil = Math.max(pausedUntil, until)
    },
    jump: (ms) => {
      offset += ms
    },
    call: (what, effect) =>
      new Promise((resolve, reject) => {
        const { label, detail, fate } = what
        const words = detail === undefined ? {} : { detail }
        const reply = (how: () => void, ms: number): void =>
          scheduler.add({
            label: `${name} ${label} answered`,
            of: self,
            due: scheduler.now() + ms,
            run: how,
          })
        const arrive = (): void => {
          // What was on its way when its sender died may have been lost with it, or not.
          if (!isAlive && random.chance(0.5)) return
          if (fate.crash?.when === 'before') return fate.crash.kill()
          if (fate.fails !== undefined) return reply(() => reject(fate.fails), fate.backMs)
          const lost = fate.lost
          const crash = fate.crash
          if (crash !== undefined) return void effect().then(crash.kill, crash.kill)
          effect().then(
            (answer) =>
              reply(lost === undefined ? () => resolve(answer) : () => reject(lost), fate.backMs),
            (error: unknown) => reply(() => reject(error), fate.backMs),
          )
        }
        const there = { label: `${name} ${label} arrives`, ...words }
        scheduler.add({ ...there, due: scheduler.now() + fate.thereMs, run: arrive })
        if (fate.againMs === undefined) return
        const again = (): void => void effect().catch(() => undefined)
        const due = scheduler.now() + fate.thereMs + fate.againMs
        scheduler.add({ label: `${name} ${label} arrives again`, ...words, due, run: again })
      }),
    deliver: (label, run, inMs = 0) =>
      scheduler.add({ label: `${name} ${label}`, of: self, due: scheduler.now() + inMs, run }),
  }
  return self
}

interface Sleep {
  readonly ms: number
  readonly signal: AbortSignal | undefined
  readonly of: Continuing | undefined
}

const sleepOn = (scheduler: Scheduler, label: string, { ms, signal, of }: Sleep): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    let isDone = false
    const finish = (): void => {
      isDone = true
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    signal?.addEventListener('abort', finish, { once: true })
    scheduler.add({
      label,
      ...(of === undefined ? {} : { of }),
      due: scheduler.now() + Math.max(0, ms),
      run: finish,
      cancelled: () => isDone,
    })
  })

/** The clock of the world itself: of the database, the bus, the clouds and the API servers. */
export const worldClock = (scheduler: Scheduler, name: string): Clock => ({
  now: () => scheduler.now(),
  sleep: (ms, signal) => sleepOn(scheduler, `${name} timer`, { ms, signal, of: undefined }),
})
