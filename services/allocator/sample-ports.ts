import { OperatingError } from '@weir/kernel'

export interface Fault {
  /** Which port call fails, 1 for the first. */
  readonly at: number
  /** Before it has its effect, or after it: then only the answer is lost. */
  readonly when: 'before' | 'after'
}

export interface WorldOptions {
  readonly fault?: Fault
  /** Allocators on the one store; 1. */
  readonly allocators?: number
  /** How far the allocators' clock is ahead of the log's, milliseconds. */
  readonly aheadMs?: number
  /** How many turns of the event loop's queue a port call takes. */
  readonly turns?: () => number
}

/** Wraps ports so that calls take their turns and one of them, counted over all, fails. */
export const createPorts = ({ fault, turns }: WorldOptions) => {
  let calls = 0
  let fired = false
  const guard = async (name: string, call: () => unknown): Promise<unknown> => {
    calls += 1
    const mine = fault !== undefined && calls === fault.at
    for (let left = turns?.() ?? 0; left > 0; left -= 1) await Promise.resolve()
    if (mine) fired = true
    if (mine && fault.when === 'before') throw new OperatingError(`crash before ${name}`)
    const answer = await call()
    for (let left = turns?.() ?? 0; left > 0; left -= 1) await Promise.resolve()
    if (mine) throw new OperatingError(`crash after ${name}`)
    return answer
  }
  return {
    calls: () => calls,
    firedNow: () => {
      const now = fired
      fired = false
      return now
    },
    wrap: <T extends object>(port: T): T =>
      new Proxy(port, {
        get: (target, name, receiver) => {
          const member: unknown = Reflect.get(target, name, receiver)
          if (typeof member !== 'function') return member
          return (...given: unknown[]) =>
            guard(String(name), () => Reflect.apply(member, target, given) as unknown)
        },
      }),
  }
}
