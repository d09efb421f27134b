import type { ReturnFinding } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import type { DataPlane } from '../data-plane/data-plane.ts'
import { callsOfAll, createReturns } from '../domain/direct-return.ts'
import type { Holding } from '../holding.ts'

/** Calls nodes by the addresses of load balancers, again and again, where the data plane can. */
export interface ReturnWatch {
  /** What is known now, for whoever asks. */
  findings(): readonly ReturnFinding[]
  /** Calls whoever is due until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
}

export interface ReturnWatchOptions {
  readonly plane: Pick<DataPlane, 'callNode'>
  readonly holdings: () => Iterable<Holding>
  readonly clock: Clock
  /** Between two calls of a node that does not answer, ms; default half a minute. */
  readonly returnEveryMs?: number
}

/** Calls in one round: each is two or three programs and at worst three seconds. */
const roundMost = 20

export const createReturnWatch = (options: ReturnWatchOptions): ReturnWatch => {
  const { plane, holdings, clock, returnEveryMs: everyMs = 30_000 } = options
  const returns = createReturns(everyMs)

  const round = async (signal: AbortSignal): Promise<void> => {
    const served = [...holdings()].flatMap(({ order, outcome, targets }) =>
      order.order === 'serve' && outcome?.status === 'serving'
        ? [{ desired: order.desired, usable: targets }]
        : [],
    )
    for (const call of returns.due(callsOfAll(served), clock.now()).slice(0, roundMost)) {
      const answer = await plane.callNode?.(call)
      if (signal.aborted || answer === undefined) return
      returns.note(call, answer, clock.now())
    }
  }
  return {
    findings: () => returns.findings(),
    run: async (signal) => {
      while (!signal.aborted && plane.callNode !== undefined) {
        await round(signal)
        await clock.sleep(Math.min(everyMs, 5_000), signal)
      }
    },
  }
}
