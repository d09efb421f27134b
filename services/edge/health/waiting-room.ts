import { backoffMs, createKeyedQueue, type Clock, type Ids } from '@weir/kernel'
import type { WeightedTarget } from '../domain/usable-targets.ts'
import { askPort } from './ask-port.ts'

/**
 * Where a resource waits until its node ports answer. An order can be ahead of the nodes: kube-proxy
 * opens a new port when it hears of it, in its own time, and whoever is told of an address before that
 * is refused by it.
 */
export interface WaitingRoom {
  /**
   * Resolves when each port answers at one of the targets, or when the wait is over: a Service without
   * ready pods has no port that answers, and gets its address all the same.
   */
  answered(wait: Wait): Promise<void>
}

export interface Wait {
  readonly ports: readonly number[]
  /** The targets as they are now. */
  readonly targets: () => readonly WeightedTarget[]
  /** Whether anybody still waits. */
  readonly isWanted: () => boolean
  /** When the wait is over whatever happens, in milliseconds since the Unix epoch. */
  readonly until: number
}

export interface WaitingRoomOptions {
  readonly clock: Clock
  readonly ids: Ids
  readonly signal: AbortSignal
}

/** Most connections under way at once, over all resources. */
const concurrency = 64
/** A node that says nothing at all is left for the next one after this. */
const tryMs = 500
const again = { minMs: 10, maxMs: 200 }

export const createWaitingRoom = (options: WaitingRoomOptions): WaitingRoom => {
  const { clock, ids, signal } = options
  const queue = createKeyedQueue(concurrency)

  /** One node after the other, since one that answers is enough. */
  const askUntilAnswered = async (port: number, wait: Wait, over: AbortSignal): Promise<void> => {
    for (let nth = 0; !over.aborted && wait.isWanted(); nth += 1) {
      const targets = wait.targets()
      const target = targets[nth % targets.length]
      const answered =
        target !== undefined &&
        (await queue.run(`${target.ip} ${port}`, async () =>
          over.aborted ? false : askPort(target.ip, port, tryMs),
        ))
      if (answered) return
      const round = 1 + Math.floor(nth / Math.max(targets.length, 1))
      await clock.sleep(backoffMs(again, round, ids.random()), over)
    }
  }
  return {
    answered: async (wait) => {
      const done = new AbortController()
      const over = AbortSignal.any([signal, done.signal])
      const all = Promise.all(wait.ports.map((port) => askUntilAnswered(port, wait, over)))
      await Promise.race([all, clock.sleep(Math.max(0, wait.until - clock.now()), over)])
      done.abort()
    },
  }
}
