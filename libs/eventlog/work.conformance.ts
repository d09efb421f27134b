import type { TenantId } from '@weir/contract'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClaimWork, Store, WorkItem } from './eventlog.ts'
import { fresh, freshTenant, history, type Subject } from './facts.conformance.ts'

export const describeWork = (subject: Subject): void => {
  describe('work', () => {
    let store: Store
    let other: Store
    beforeAll(async () => {
      store = await subject.open()
      other = await subject.open()
    })
    afterAll(async () => {
      await store.close()
      await other.close()
    })
    const claim = (consumer: string, rest: Partial<ClaimWork> = {}): Promise<readonly WorkItem[]> =>
      store.work.claim({ consumer, worker: 'w1', limit: 10, leaseMs: 60_000, ...rest })
    const keysOf = (items: readonly WorkItem[]): readonly string[] => items.map(({ key }) => key)
    const lagOf = async (consumer: string, tenant: TenantId) =>
      (await other.work.lagging(consumer)).find((lag) => lag.tenant === tenant)
    const one = async (consumer: string, rest: Partial<ClaimWork> = {}): Promise<WorkItem> => {
      const [item] = await eventually(async () => {
        const items = await claim(consumer, rest)
        return items.length > 0 && items
      })
      return item!
    }

    test('a cursor advances with its keys, and tells who is behind where it stands', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await history(store, tenant, 4)
      const batch = { consumer, tenant, keys: ['a', 'b', 'a'] }
      expect(await lagOf(consumer, tenant)).toEqual({ tenant, cursor: 0, head: 4 })
      expect(await store.work.ingest({ ...batch, from: 0, to: 3 })).toEqual({ status: 'advanced' })
      const behind = { status: 'behind', cursor: 3 }
      expect(await other.work.ingest({ ...batch, from: 0, to: 2, keys: ['x'] })).toEqual(behind)
      expect(await other.work.ingest({ ...batch, from: 4, to: 4, keys: ['x'] })).toEqual(behind)
      expect(await lagOf(consumer, tenant)).toEqual({ tenant, cursor: 3, head: 4 })
      expect(await other.work.ingest({ ...batch, from: 3, to: 4, keys: [] })).toEqual({
        status: 'advanced',
      })
      expect(await lagOf(consumer, tenant)).toBeUndefined()
      expect(keysOf(await claim(consumer)).toSorted()).toEqual(['a', 'b'])
    })

    test('a cursor never passes the head of the log', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      const none = { consumer, tenant, from: 0, to: 1, keys: ['x'] }
      expect(await store.work.ingest(none)).toEqual({ status: 'behind', cursor: 0 })
      await history(store, tenant, 1)
      const past = { consumer, tenant, from: 0, to: 2, keys: ['x'] }
      expect(await store.work.ingest(past)).toEqual({ status: 'behind', cursor: 0 })
      expect(await claim(consumer)).toEqual([])
    })

    test('of two that take in the same events at once, one does', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await history(store, tenant, 1)
      const batch = { consumer, tenant, from: 0, to: 1, keys: ['a'] }
      const answers = await Promise.all(
        [store, other, store, other].map((service) => service.work.ingest(batch)),
      )
      expect(answers.filter(({ status }) => status === 'advanced')).toHaveLength(1)
      expect(await claim(consumer)).toMatchObject([{ key: 'a', mark: 1 }])
    })

    test('a key marked many times is worked on once', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      for (let times = 0; times < 3; times += 1) await store.work.mark(consumer, tenant, ['a', 'a'])
      const [item, ...more] = await claim(consumer)
      expect(more).toEqual([])
      expect(item).toMatchObject({ consumer, tenant, key: 'a', attempts: 0 })
      expect(await claim(consumer)).toEqual([])
      expect(await store.work.done(item!)).toBe(true)
      expect(await claim(consumer)).toEqual([])
    })

    test('a key marked during the work stays dirty, and is not given to a second worker meanwhile', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['a'])
      const item = await one(consumer)
      await other.work.mark(consumer, tenant, ['a'])
      expect(await claim(consumer, { tenant, keys: ['a'] })).toEqual([])
      expect(await store.work.done(item, 60_000)).toBe(true)
      const again = await one(consumer)
      expect(again.mark).toBeGreaterThan(item.mark)
      expect(again.fence).toBeGreaterThan(item.fence)
    })

    test('a lease that ran out lets another worker in, and the first is told', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['a'])
      const slow = await one(consumer, { leaseMs: 20 })
      const quick = await one(consumer, { worker: 'w2' })
      expect(quick.fence).toBeGreaterThan(slow.fence)
      expect(await store.work.done(slow)).toBe(false)
      expect(await store.work.failed(slow, { problem: 'x', afterMs: 0 })).toBe(false)
      expect(await other.work.done(quick)).toBe(true)
      expect(await claim(consumer)).toEqual([])
    })

    test('results that come together settle each key by itself', async () => {
      const [consumer, tenant, neighbour] = [fresh('k'), freshTenant(), freshTenant()]
      const names = Array.from({ length: 20 }, (_, index) => `k${index}`)
      await store.work.mark(consumer, tenant, names)
      await store.work.mark(consumer, neighbour, names)
      const asked = names.map((key) => claim(consumer, { tenant, keys: [key], limit: 1 }))
      const mine = (await Promise.all(asked)).flat()
      const theirs = await claim(consumer, { tenant: neighbour, limit: 20 })
      expect(keysOf(mine)).toEqual(names)
      await store.work.mark(consumer, tenant, ['k3'])
      const items = [...mine, ...theirs]
      const settled = await Promise.all(
        items.map((item, index) => {
          const late = { ...item, fence: item.fence + (index === 5 ? 1 : 0) }
          const failure = { problem: 'x', afterMs: 60_000 }
          return index === 7 ? store.work.failed(late, failure) : store.work.done(late)
        }),
      )
      expect(settled.flatMap((held, index) => (held ? [] : [index]))).toEqual([5])
      expect(keysOf(await claim(consumer))).toEqual(['k3'])
      expect(await other.work.stuck(consumer, 1)).toEqual([
        { tenant, key: 'k7', attempts: 1, problem: 'x' },
      ])
    })

    test('a failed key comes back after its wait, with its attempts, and is listed as stuck', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['a'])
      const first = await one(consumer)
      await store.work.failed(first, { problem: 'no answer', afterMs: 20 })
      const second = await one(consumer)
      expect(second.attempts).toBe(1)
      await store.work.failed(second, { problem: 'still none', afterMs: 60_000 })
      expect(await claim(consumer)).toEqual([])
      const stuck = [{ tenant, key: 'a', attempts: 2, problem: 'still none' }]
      expect(await other.work.stuck(consumer, 2)).toEqual(stuck)
      expect(await other.work.stuck(consumer, 3)).toEqual([])
      await store.work.mark(consumer, tenant, ['a'])
      const third = await one(consumer)
      expect(third.attempts).toBe(2)
      await store.work.done(third)
      expect(await other.work.stuck(consumer, 1)).toEqual([])
    })

    test('a key that failed while it was marked comes back at once', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['a'])
      const item = await one(consumer)
      await store.work.mark(consumer, tenant, ['a'])
      await store.work.failed(item, { problem: 'x', afterMs: 60_000 })
      expect((await one(consumer)).attempts).toBe(1)
    })

    test('a key done for a while comes back by itself, or earlier when marked', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['soon', 'later'])
      for (const item of await claim(consumer)) {
        await store.work.done(item, item.key === 'soon' ? 20 : 60_000)
      }
      expect((await one(consumer)).key).toBe('soon')
      expect(await claim(consumer)).toEqual([])
      await store.work.mark(consumer, tenant, ['later'])
      expect((await one(consumer)).key).toBe('later')
    })

    test('with keys, exactly those are claimed', async () => {
      const [consumer, tenant, neighbour] = [fresh('k'), freshTenant(), freshTenant()]
      await store.work.mark(consumer, tenant, ['a', 'b', 'c'])
      await store.work.mark(consumer, neighbour, ['a'])
      const items = await claim(consumer, { tenant, keys: ['c', 'a', 'missing'] })
      expect(keysOf(items).toSorted()).toEqual(['a', 'c'])
      expect(items.every((item) => item.tenant === tenant)).toBe(true)
      expect(keysOf(await claim(fresh('k'), { tenant, keys: ['b'] }))).toEqual([])
      expect(keysOf(await claim(consumer, { tenant }))).toEqual(['b'])
    })

    test('the longest waiting comes first, but tenants take turns', async () => {
      const consumer = fresh('k')
      const [busy, quiet] = [freshTenant(), freshTenant()]
      for (const key of ['a', 'b', 'c', 'd']) {
        await store.work.mark(consumer, busy, [key])
        const now = await store.log.now()
        await eventually(async () => (await store.log.now()) > now)
      }
      await store.work.mark(consumer, quiet, ['z'])
      expect(keysOf(await claim(consumer, { limit: 3 }))).toEqual(['a', 'z', 'b'])
      expect(keysOf(await claim(consumer, { limit: 3 }))).toEqual(['c', 'd'])
    })

    test('workers that claim at the same time never get the same key', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)
      await store.work.mark(consumer, tenant, keys)
      const got: string[] = []
      await eventually(async () => {
        const rounds = await Promise.all(
          [store, other, store, other].map((service, index) =>
            service.work.claim({ consumer, worker: `w${index}`, limit: 7, leaseMs: 60_000 }),
          ),
        )
        got.push(...rounds.flatMap(keysOf))
        return got.length >= 60
      })
      expect(got.toSorted()).toEqual(keys.toSorted())
    })

    test('consumers do not see one another', async () => {
      const [tenant, mine, theirs] = [freshTenant(), fresh('k'), fresh('k')]
      await store.work.mark(mine, tenant, ['a'])
      expect(await claim(theirs)).toEqual([])
      expect(keysOf(await claim(mine))).toEqual(['a'])
    })
  })
}
