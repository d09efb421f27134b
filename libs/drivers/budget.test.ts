import { describe, expect, test } from 'vitest'
import { createBudget, createBudgets, createReadGate, type Budget, type Rate } from './budget.ts'

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

  test('saves up no more than its burst', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 3 })
    advance(60_000)
    const grants = Array.from({ length: 9 }, () => budget.ask('a', 'write').granted)
    expect(grants.filter(Boolean)).toHaveLength(3)
  })

  test('of one tenant alone is the whole account', () => {
    const { granted } = play({ perSecond: 20, burst: 5 }, [['a', { calls: 30 }]])
    expect(granted[0]).toBeGreaterThan(20 * 60 * 0.95)
  })
})

describe('tenants', () => {
  test('that ask a hundred times as often get no more than their share', () => {
    const tenants = [
      ['greedy', { calls: 3, everyMs: 1 }],
      ['modest', { calls: 1 }],
      ['other', { calls: 1 }],
    ] as const
    const { granted } = play({ perSecond: 20, burst: 10 }, tenants, 20_000)
    const [greedy = 0, modest = 0, other = 0] = granted
    expect(greedy / modest).toBeLessThan(1.1)
    expect(modest / other).toBeGreaterThan(0.95)
    expect(modest / other).toBeLessThan(1.05)
  })

  test.for([1, 2, 3, 4, 5, 6, 7, 8])(
    'whoever they are, have equal shares while they wait, and none starves (seed %i)',
    (seed) => {
      const random = randomOf(seed)
      const rate = { perSecond: 10 + random(90), burst: 1 + random(20) }
      const tenants = Array.from({ length: 2 + random(8) }, (_, index) => {
        const greedy = random(2) === 0
        return [`t${index}`, { calls: 1 + random(30), ...(greedy ? { everyMs: 5 } : {}) }] as const
      })
      const { granted, perMs, players } = play(rate, tenants, 30_000)
      const all = granted.reduce((sum, count) => sum + count, 0)
      const fair = all / granted.length
      expect(mostIn(perMs, 1000)).toBeLessThanOrEqual(rate.burst + rate.perSecond + 1e-6)
      for (const [index, count] of granted.entries()) {
        expect(count, JSON.stringify({ rate, tenants, granted, index })).toBeGreaterThan(0.7 * fair)
        expect(count, JSON.stringify({ rate, tenants, granted, index })).toBeLessThan(1.4 * fair)
      }
      // With one call outstanding, a turn of everybody is the longest wait.
      const turnMs = (tenants.length * 1000) / rate.perSecond
      for (const [index, [, { calls }]] of tenants.entries()) {
        if (calls === 1) expect(players[index]?.longestWait()).toBeLessThan(3 * turnMs + 2000)
      }
    },
  )

  test('that were away saved nothing up', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 1 })
    const grants = { a: 0, b: 0 }
    const ask = (tenant: 'a' | 'b') => {
      if (budget.ask(tenant, 'write').granted) grants[tenant] += 1
    }
    ask('b')
    for (let ms = 0; ms < 20_000; ms += 1, advance(1)) ask('a')
    Object.assign(grants, { a: 0, b: 0 })
    for (let ms = 0; ms < 20_000; ms += 1, advance(1))
      for (const one of ['b', 'a'] as const) ask(one)
    expect(Math.abs(grants.a - grants.b)).toBeLessThanOrEqual(2)
  })

  test('that never come back hold others up for the grace and no longer', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 1 })
    expect(budget.ask('a', 'write')).toEqual({ granted: true })
    const denied = budget.ask('lost', 'write')
    if (denied.granted) throw new Error('the bucket is empty')
    advance(denied.retryMs)
    expect(budget.ask('a', 'write').granted).toBe(false)
    advance(2000)
    expect(budget.ask('a', 'write')).toEqual({ granted: true })
  })

  test('are told different times for many calls, each with a token then', () => {
    const { budget, advance, clock } = createWorld({ perSecond: 10, burst: 1 })
    budget.ask('a', 'write')
    const told = Array.from({ length: 20 }, () => {
      const grant = budget.ask('a', 'write')
      return grant.granted ? 0 : clock.now() + grant.retryMs
    })
    expect(new Set(told).size).toBe(20)
    for (const at of told) {
      advance(at - clock.now())
      expect(budget.ask('a', 'write')).toEqual({ granted: true })
    }
  })
})

describe('what goes on', () => {
  test('needs no token, and whoever asks next waits until it is paid for', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 2 })
    expect(budget.ask('a', 'write').granted).toBe(true)
    for (let call = 0; call < 6; call += 1) {
      expect(budget.goOn('a', 'write')).toEqual({ granted: true })
    }
    expect(budget.ask('b', 'write')).toEqual({ granted: false, retryMs: 600 })
    advance(599)
    expect(budget.ask('b', 'write').granted).toBe(false)
    advance(1)
    expect(budget.ask('b', 'write')).toEqual({ granted: true })
  })

  test('is denied to changes that owe too much, and not to reads', () => {
    const { clock } = createWorld({ perSecond: 1, burst: 1 })
    const one = { perSecond: 1, burst: 1 }
    const budget = createBudget({ clock, read: one, write: one })
    const goOn = (kind: 'read' | 'write') =>
      Array.from({ length: 100 }, () => budget.goOn('a', kind)).filter(({ granted }) => granted)
    expect(goOn('write')).toHaveLength(17)
    expect(goOn('read')).toHaveLength(100)
  })

  test('is denied while the provider throttles, which forgives no debt', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 1 })
    for (let call = 0; call < 6; call += 1) budget.goOn('a', 'write')
    budget.hold('write', 1000)
    expect(budget.goOn('b', 'write').granted).toBe(false)
    advance(1000)
    expect(budget.ask('c', 'write')).toEqual({ granted: false, retryMs: 600 })
  })

  test('counts as its tenant’s own: with long and short turns, tenants have equal shares', () => {
    const { budget, clock, advance } = createWorld({ perSecond: 20, burst: 5 })
    const tenants = [
      { name: 'long', calls: 12, at: 0, granted: 0 },
      { name: 'short', calls: 1, at: 0, granted: 0 },
    ]
    for (let ms = 0; ms < 120_000; ms += 5, advance(5)) {
      for (const tenant of tenants.filter(({ at }) => at <= clock.now())) {
        const first = budget.ask(tenant.name, 'write')
        if (!first.granted) {
          tenant.at = clock.now() + first.retryMs
          continue
        }
        const more = Array.from({ length: tenant.calls - 1 }, () =>
          budget.goOn(tenant.name, 'write'),
        )
        tenant.granted += 1 + more.filter(({ granted }) => granted).length
      }
    }
    const [long, short] = tenants.map(({ granted }) => granted)
    expect(long! + short!).toBeGreaterThan(0.9 * 20 * 120)
    expect(long! / short!).toBeLessThan(1.2)
    expect(long! / short!).toBeGreaterThan(0.8)
  })

  test('of reads is granted once the first was', () => {
    const { clock } = createWorld({ perSecond: 1, burst: 1 })
    const one = { perSecond: 1, burst: 1 }
    const budget = createBudget({ clock, read: one, write: one })
    const pass = createReadGate(budget, 'a')
    for (let call = 0; call < 9; call += 1) pass()
    expect(createReadGate(budget, 'b')).toThrow(/rate is used up/)
    createReadGate(budget, 'b', true)()
  })
})

describe('a budget', () => {
  test('grants nothing while the provider throttles, and then what its rate allows', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 5 })
    budget.hold('write', 3000)
    expect(budget.ask('a', 'write')).toEqual({ granted: false, retryMs: 3100 })
    expect(budget.ask('a', 'read')).toEqual({ granted: true })
    advance(2999)
    expect(budget.ask('a', 'write').granted).toBe(false)
    advance(101)
    expect(budget.ask('a', 'write')).toEqual({ granted: true })
    expect(budget.ask('a', 'write').granted).toBe(false)
  })

  test('is neither filled nor locked by a clock that is set back', () => {
    const { budget, advance } = createWorld({ perSecond: 10, burst: 1 })
    expect(budget.ask('a', 'write').granted).toBe(true)
    expect(budget.ask('lost', 'write').granted).toBe(false)
    budget.hold('write', 1000)
    advance(-3_600_000)
    expect(budget.ask('a', 'write').granted).toBe(false)
    advance(1100)
    expect(budget.ask('a', 'write')).toEqual({ granted: true })
    expect(budget.ask('a', 'write').granted).toBe(false)
  })

  test('is one for each account', () => {
    const { clock } = createWorld({ perSecond: 1, burst: 1 })
    const one = { perSecond: 1, burst: 1 }
    const budgetOf = createBudgets({ clock, read: one, write: one })
    expect(budgetOf('x')).toBe(budgetOf('x'))
    expect(budgetOf('x').ask('a', 'write').granted).toBe(true)
    expect(budgetOf('x').ask('b', 'write').granted).toBe(false)
    expect(budgetOf('y').ask('a', 'write').granted).toBe(true)
  })

  test('fails a read that it does not grant, with the time to come back', () => {
    const { clock } = createWorld({ perSecond: 1, burst: 1 })
    const one = { perSecond: 1, burst: 1 }
    const budget = createBudget({ clock, read: one, write: one })
    createReadGate(budget, 'a')()
    expect(createReadGate(budget, 'a')).toThrow(
      expect.objectContaining({ retry: { afterMs: 1000 } }),
    )
  })
})

/** Whole numbers below `below`, by a linear congruential generator (Numerical Recipes). */
const randomOf = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
