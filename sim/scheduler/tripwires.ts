// Inside a run there is no other time, chance or timer than the scheduler's. Whoever asks the machine for
// one is told so at once, and the run fails even if that error is caught on its way.

export interface Tripwires {
  /** The first thing that was asked for, if any was. */
  tripped(): string | undefined
  remove(): void
}

/** The real one, for the scheduler alone: it ends a step when every promise has settled. */
const realImmediate = globalThis.setImmediate
export const turn = (): Promise<void> => new Promise((resolve) => void realImmediate(resolve))

export const installTripwires = (): Tripwires => {
  let first: string | undefined
  const trip = (name: string) => (): never => {
    first ??= `${name} was used inside a run; take it from a port`
    throw new Error(first)
  }
  const RealDate = globalThis.Date
  const now = trip('Date.now')
  const WiredDate = new Proxy(RealDate, {
    construct: (target, given, newTarget) =>
      given.length === 0 ? trip('new Date()')() : Reflect.construct(target, given, newTarget),
    apply: trip('Date()'),
    get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
  })
  const replaced: (() => void)[] = []
  const replace = (on: object, name: string, by: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(on, name)
    Object.defineProperty(on, name, { value: by, configurable: true, writable: true })
    replaced.push(() => {
      if (before === undefined) Reflect.deleteProperty(on, name)
      else Object.defineProperty(on, name, before)
    })
  }
  replace(globalThis, 'Date', WiredDate)
  replace(Math, 'random', trip('Math.random'))
  for (const timer of ['setTimeout', 'setInterval', 'setImmediate'] as const) {
    replace(globalThis, timer, trip(timer))
  }
  replace(globalThis.performance, 'now', trip('performance.now'))
  replace(globalThis.crypto, 'randomUUID', trip('crypto.randomUUID'))
  return {
    tripped: () => first,
    remove: () => {
      for (const restore of replaced.toReversed()) restore()
    },
  }
}
