// The ports of one process on the shared twins: each call is two effects, one when it arrives and one when
// its answer does, and comes under the plan of faults.
import type { Bus, ConsumeOptions, IncomingMessage } from '@weir/bus'
import type { Store } from '@weir/eventlog'
import type { CallKind, FaultPlan } from './faults.ts'
import type { Actor } from './scheduler/actor.ts'

const writes = new Set(['append', 'ingest', 'mark', 'claim', 'done', 'failed', 'store', 'put'])

/** Every method of a port that answers with a promise, as calls of `actor`. */
export const callsOf = <T extends object>(
  port: T,
  at: {
    readonly actor: Actor
    readonly faults: FaultPlan
    readonly name: string
    readonly kindOf: (method: string) => CallKind
  },
): T => {
  const calls = Object.entries(port).map(([method, member]: [string, unknown]) => {
    if (typeof member !== 'function') return [method, member]
    const label = `${at.name}.${method}`
    const kind = at.kindOf(method)
    const call = (...given: unknown[]): Promise<unknown> =>
      at.actor.call(
        { label, detail: () => describe(given), fate: at.faults.fateOf(kind, at.actor) },
        () => Reflect.apply(member, port, given) as Promise<unknown>,
      )
    return [method, call]
  })
  return Object.fromEntries(calls) as T
}

const describe = (given: readonly unknown[]): string => JSON.stringify(given).slice(0, 600)

export const storeOf = (store: Store, actor: Actor, faults: FaultPlan): Store => {
  const kindOf = (method: string): CallKind => (writes.has(method) ? 'log-write' : 'log-read')
  const part = <T extends object>(name: string, port: T): T =>
    callsOf(port, { actor, faults, name, kindOf })
  return {
    ...store,
    log: part('log', store.log),
    work: part('work', store.work),
    observed: part('observed', store.observed),
    leases: part('leases', store.leases),
    vault: part('vault', store.vault),
  }
}

/** A process's handle on the bus: what it is sent may be late, doubled, out of order, or nothing. */
export const busOf = (bus: Bus, actor: Actor, faults: FaultPlan): Bus => {
  const over = new AbortController()
  actor.onDeath(() => over.abort())
  const until = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, over.signal])
  const never = new Promise<never>(() => undefined)
  return {
    ...bus,
    ensureStreams: () =>
      actor.call({ label: 'bus.ensure', fate: faults.fateOf('bus', actor) }, () =>
        bus.ensureStreams(),
      ),
    publish: (messages) =>
      actor.call(
        {
          label: 'bus.publish',
          detail: () => messages.map(({ subject }) => subject).join(' '),
          fate: faults.fateOf('bus', actor),
        },
        () => bus.publish(messages),
      ),
    consume: async (options) => {
      const handle = deliveryOf(options, actor, faults)
      await bus.consume({ ...options, signal: until(options.signal), handle })
      // Whoever died does not go on after its consumer ended.
      if (!actor.alive()) await never
    },
    hint: (subject, body) => {
      if (!faults.strikes('missed event')) bus.hint(subject, body)
    },
    onHint: (subject, handle, signal) =>
      bus.onHint(
        subject,
        (body, on) => actor.deliver('hint', () => handle(body, on)),
        until(signal),
      ),
    onRebuilt: (handle, signal) =>
      bus.onRebuilt(
        (names) => actor.deliver('bus was rebuilt', () => handle(names)),
        until(signal),
      ),
  }
}

const deliveryOf =
  ({ handle, stream }: ConsumeOptions, actor: Actor, faults: FaultPlan) =>
  (messages: readonly IncomingMessage[]): Promise<void> =>
    new Promise((acknowledge, giveBack) => {
      const label = `takes ${messages.length} of ${stream}`
      const forget = actor.onDeath(() => giveBack(new Error('the process ended')))
      const now: IncomingMessage[] = []
      for (const message of messages) {
        if (faults.strikes('missed event')) continue
        if (!faults.strikes('reorder')) now.push(message)
        else actor.deliver(`${label} late`, () => drop(handle([message])), 1 + faults.someMs(5000))
        if (faults.strikes('duplicate')) {
          actor.deliver(`${label} again`, () => drop(handle([message])), faults.anyMs(30_000))
        }
      }
      const take = (): void => void handle(now).then(acknowledge, giveBack).finally(forget)
      actor.deliver(label, take, faults.strikes('delay') ? faults.someMs(3000) : 0)
    })

/** Nobody waits for it: the message was acknowledged long ago. */
const drop = (handled: Promise<void>): void => void handled.catch(() => undefined)
