import { describe, expect, test } from 'vitest'
import { createBudget, createBudgets, requireGrant, type Budget, type Rate } from './budget.ts'

const createWorld = (write: Rate) => {
  let now = 1_000_000
  const clock = { now: () => now }
  return {
    clock,
    budget: createBudget({ clock, read: { perSecond: 1000, burst: 1000 }, write }),
    advance: (ms: number) => (now += ms),
  }
}

/** A tenant that always has `calls` outstanding, and comes back when told, or each `everyMs`. */
const createTenant = (name: string, budget: Budget, how: { calls: number; everyMs?: number }) => {
  const due = Array.from({ length: how.calls }, () => 0)
  let granted = 0
  let longestWait = 0
  const since = due.map(() => 0)
  return {
    name,
    granted: () => granted,
    longestWait: () => longestWait,
    act: (now: number) => {
      for (const [index, at] of due.entries()) {
        if (at > now) continue
        const grant = budget.ask(name, 'write')
        if (grant.granted) {
          granted += 1
          longestWait = Math.max(longestWait, now - (since[index] ?? now))
          since[index] = now
          due[index] = now + 1
        } else due[index] = now + (how.everyMs ?? grant.retryMs)
      }
    },
  }
}

const play = (
  rate: Rate,
  tenants: readonly (readonly [name: string, how: { calls: number; everyMs?: number }])[],
  ms = 60_000,
) => {
  const { clock, budget, advance } = createWorld(rate)
  const players = tenants.map(([name, how]) => createTenant(name, budget, how))
  const perMs: number[] = []
  for (let at = 0; at < ms; at += 1) {
    const before = players.reduce((sum, player) => sum + player.granted(), 0)
    for (const player of players) player.act(clock.now() - 1_000_000)
    perMs.push(players.reduce((sum, player) => sum + player.granted(), 0) - before)
    advance(1)
  }
  return { perMs, granted: players.map((player) => player.granted()), players }
}

/** The most calls granted in any window of the length. */
const mostIn = (perMs: readonly number[], windowMs: number): number => {
  let sum = 0
  let most = 0
  for (const [at, count] of perMs.entries()) {
    sum += count - (at >= windowMs ? (perMs[at - windowMs] ?? 0) : 0)
    most = Math.max(most, sum)
  }
  return most
}

describe('the rate', () => {
  test.for([
    [5, 1],
    [20, 10],
    [200, 40],
  ] as const)(
    'of %i a second with a burst of %i is never exceeded and is used',
    ([rate, burst]) => {
      const { perMs, granted } = play({ perSecond: rate, burst }, [
        ['a', { calls: 50, everyMs: 1 }],
        ['b', { calls: 3 }],
        ['c', { calls: 40 }],
      ])
      for (const windowMs of [10, 1000, 7000]) {
        expect(mostIn(perMs, windowMs)).toBeLessThanOrEqual(burst + (rate * windowMs) / 1000 + 1e-6)
      }
      expect(granted.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(rate * 60 * 0.95)
    },
  )

  test('of one tenant alone is the whole account', () => {
    const { granted } = play({ perSecond: 20, burst: 5 }, [['a', { calls: 30 }]])
    expect(granted[0]).toBeGreaterThan(20 * 60 * 0.95)
  })
})
