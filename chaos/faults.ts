// What goes wrong, by a seeded schedule: a deck of all kinds of faults is dealt again and again, so that
// every kind comes in every run that is long enough for one deck.
import { systemClock } from '@weir/kernel'
import type { Dice } from './churn.ts'
import type { Part } from './part.ts'
import type { Provider } from './providers/provider.ts'
import type { Stage } from './stage.ts'

/** Begins a fault; the end it answers with may be called once. */
type Begin = () => Promise<() => Promise<void>>

export interface Faults {
  /** Deals faults until the signal aborts; then ends those that still go on, and everything runs again. */
  run(signal: AbortSignal): Promise<void>
  /** How often each fault began. */
  readonly counts: () => Readonly<Record<string, number>>
}

export interface FaultOptions {
  readonly stage: Stage
  readonly providers: readonly Provider[]
  readonly dice: Dice
  readonly say: (line: string) => void
}

/** Longer than every lease: 10 s of a work item, 6 s of a cluster. */
const pauseMs = 12_000

export const createFaults = ({ stage, providers, dice, say }: FaultOptions): Faults => {
  const kinds = kindsOf(stage, providers, dice)
  const counts: Record<string, number> = Object.fromEntries(Object.keys(kinds).map((k) => [k, 0]))
  const open = new Map<object, Promise<void>>()

  const deal = (): string[] => {
    const deck = Object.keys(kinds)
    for (let at = deck.length - 1; at > 0; at -= 1) {
      const other = dice.below(at + 1)
      const [a = '', b = ''] = [deck[at], deck[other]]
      deck[at] = b
      deck[other] = a
    }
    return deck
  }
  const strike = async (name: string, signal: AbortSignal): Promise<void> => {
    const kind = kinds[name]
    if (kind === undefined) return
    const lasts = kind.lastsMs * (0.7 + dice.random() * 0.6)
    counts[name] = (counts[name] ?? 0) + 1
    const end = await kind.begin()
    await systemClock.sleep(lasts, signal)
    await end()
  }
  return {
    counts: () => counts,
    run: async (signal) => {
      while (!signal.aborted) {
        for (const name of deal()) {
          if (signal.aborted) break
          const mine = {}
          const going = strike(name, signal).catch((error: unknown) => {
            say(`the fault "${name}" could not be made: ${String(error)}`)
          })
          open.set(
            mine,
            going.finally(() => open.delete(mine)),
          )
          // Two or three go on at a time.
          await systemClock.sleep(1500 + dice.random() * 3500, signal)
        }
      }
      await Promise.all(open.values())
      await Promise.all([stage.postgres.up(), stage.nats.up()])
      await Promise.all(stage.services.map((each) => each.up()))
    },
  }
}

interface Kind {
  readonly lastsMs: number
  readonly begin: Begin
}

const kindsOf = (
  stage: Stage,
  providers: readonly Provider[],
  dice: Dice,
): Readonly<Record<string, Kind>> => {
  const nothing = async (): Promise<void> => undefined
  const some = (all: readonly Part[]): Part => all[dice.below(all.length)] as Part
  const service = (name: string): readonly Part[] =>
    stage.services.filter((each) => each.name.startsWith(`${name}-`))
  const killed = (parts: readonly Part[], all = false): Kind => ({
    lastsMs: 0,
    begin: async () => {
      await Promise.all((all ? parts : [some(parts)]).map((each) => each.kill()))
      return nothing
    },
  })
  const paused = (parts: readonly Part[]): Kind => ({
    lastsMs: pauseMs,
    begin: async () => {
      const go = some(parts).pause()
      return async () => go()
    },
  })
  const names = ['watcher', 'allocator', 'provisioner', 'gc', 'edge', 'api'] as const
  const perService = names.flatMap((name): [string, Kind][] => [
    [`kill ${name}`, killed(service(name))],
    [`pause ${name}`, paused(service(name))],
  ])
  return {
    ...Object.fromEntries(perService),
    'kill both provisioners': killed(service('provisioner'), true),
    'kill all services': killed(stage.services, true),
    'lose the bus': { lastsMs: 0, begin: async () => stage.loseBus().then(() => nothing) },
    'pause nats': paused([stage.nats]),
    'crash postgres': held(stage.postgres, 2000),
    'crash the API server': {
      lastsMs: 3000,
      begin: async () => {
        await stage.cluster.killApiServer()
        return () => stage.cluster.startApiServer()
      },
    },
    ...Object.fromEntries(
      providers.flatMap(({ faults }) =>
        Object.entries(faults).map(([name, begin]) => [name, { lastsMs: 8000, begin }] as const),
      ),
    ),
  }
}

/** Killed, and away for a while. */
const held = (part: Part, lastsMs: number): Kind => ({
  lastsMs,
  begin: async () => {
    const release = await part.holdDown()
    return async () => release()
  },
})
