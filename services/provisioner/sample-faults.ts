import { OperatingError } from '@weir/kernel'

export interface Fault {
  /** Which port call fails, 1 for the first. */
  readonly at: number
  /** Before it has its effect, or after it: then only the answer is lost. */
  readonly when: 'before' | 'after'
}

/** Wraps ports so that one call, counted over all of them, fails before or after its effect. */
export const createFaults = (fault: Fault | undefined) => {
  let calls = 0
  let fired = false
  const guard = async (name: string, call: () => unknown): Promise<unknown> => {
    calls += 1
    const mine = fault !== undefined && calls === fault.at
    if (mine) fired = true
    if (mine && fault.when === 'before') throw new OperatingError(`crash before ${name}`)
    const answer = await call()
    if (mine) throw new OperatingError(`crash after ${name}`)
    return answer
  }
  const counted = new Set(['append', 'story', 'get', 'execute', 'observe', 'poll'])
  return {
    calls: () => calls,
    fired: () => fired,
    wrap: <T extends object>(port: T): T =>
      new Proxy(port, {
        get: (target, name, receiver) => {
          const member: unknown = Reflect.get(target, name, receiver)
          if (typeof member !== 'function' || !counted.has(String(name))) return member
          return (...given: unknown[]) =>
            guard(String(name), () => Reflect.apply(member, target, given) as unknown)
        },
      }),
  }
}
