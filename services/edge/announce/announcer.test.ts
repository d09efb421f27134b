import { resourceKey, type ResourceKey } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterEach, expect, test } from 'vitest'
import { createAnnouncer } from './announcer.ts'
import type { Herald } from './herald.ts'

const web = resourceKey.parse('edge-5e1f0000-0000-4000-8000-000000000001')
const mail = resourceKey.parse('edge-5e1f0000-0000-4000-8000-000000000002')
const [ip, ip6] = ['203.0.113.10', '2001:db8:f::10'] as const
const serving = (...open: string[]) => ({ open: new Set(open), usable: true })
const nothing = { open: new Set<string>(), usable: false }

let life = new AbortController()
afterEach(() => {
  life.abort()
  life = new AbortController()
})

/** An announcer whose herald tells at once, or when it is let. */
const startAnnouncer = (isLet = true) => {
  const announced = new Set<string>()
  const state = { isLet, doubt: undefined as string | undefined, told: [] as ResourceKey[] }
  const herald: Herald = {
    lingerMs: 0,
    tell: async (changes) => {
      await eventually(() => state.isLet)
      for (const [address, is] of changes) {
        if (is) announced.add(address)
        else announced.delete(address)
      }
    },
    problem: () => undefined,
    close: () => Promise.resolve(),
  }
  const announcer = createAnnouncer({
    herald,
    doubt: () => state.doubt,
    clock: systemClock,
    log: silentLogger,
    signal: life.signal,
    onTold: (keys) => state.told.push(...keys),
    lookMs: 5,
  })
  return { announcer, announced: () => [...announced].toSorted(), state }
}

test('nothing is told before all that is held was claimed, and then all of it at once', async () => {
  const { announcer, announced } = startAnnouncer()
  await announcer.claim(web, serving(ip))
  await announcer.claim(mail, serving(ip6))
  expect(announced()).toEqual([])
  announcer.begin()
  await eventually(() => announced().length === 2)
})

test('an address that two resources share stays announced until the last one is gone', async () => {
  const { announcer, announced } = startAnnouncer()
  announcer.begin()
  await announcer.claim(web, serving(ip))
  await announcer.claim(mail, serving(ip))
  await announcer.claim(web, nothing)
  expect(announced()).toEqual([ip])
  await announcer.claim(mail, nothing)
  expect(announced()).toEqual([])
})

test('whoever takes an address away waits until it is withdrawn', async () => {
  const { announcer, announced, state } = startAnnouncer()
  announcer.begin()
  await announcer.claim(web, serving(ip, ip6))
  await eventually(() => announced().length === 2)
  state.isLet = false
  let left = false
  const leaving = announcer.claim(web, serving(ip6)).then(() => (left = true))
  await announcer.claim(mail, serving(ip6))
  expect(left).toBe(false)
  state.isLet = true
  await leaving
  expect(announced()).toEqual([ip6])
})

test('a resource is told when all of its addresses are, and one without usable nodes owes nothing', async () => {
  const { announcer, state } = startAnnouncer(false)
  announcer.begin()
  await announcer.claim(web, serving(ip))
  await announcer.claim(mail, { open: new Set([ip6]), usable: false })
  expect([announcer.isTold(web), announcer.isTold(mail)]).toEqual([false, true])
  state.isLet = true
  await eventually(() => announcer.isTold(web))
  expect(state.told).toEqual([web])
})

test('while nobody can vouch for what is in force, nothing is announced and nothing new is told', async () => {
  const { announcer, announced, state } = startAnnouncer()
  announcer.begin()
  await announcer.claim(web, serving(ip))
  await eventually(() => announced().length === 1)
  state.doubt = 'the table cannot be read'
  await eventually(() => announced().length === 0)
  await announcer.claim(mail, serving(ip6))
  expect([announcer.isTold(mail), announced()]).toEqual([false, []])
  state.doubt = undefined
  await eventually(() => announced().length === 2 && announcer.isTold(mail))
})

test('an edge that ends withdraws everything', async () => {
  const { announcer, announced } = startAnnouncer()
  announcer.begin()
  await announcer.claim(web, serving(ip, ip6))
  await announcer.withdrawAll()
  expect(announced()).toEqual([])
})
