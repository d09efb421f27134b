import { silentLogger } from '@weir/kernel'
import type { TenantId } from '@weir/contract'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from './eventlog.ts'
import { fact, fresh, freshStream, freshTenant, ports, request } from './facts.conformance.ts'
import type { Subject } from './facts.conformance.ts'
import { createHousekeeping } from './housekeeping.ts'

const aDay = 86_400_000
const most = { keepMs: 5, limit: 100_000 }

/** What is over goes, and nothing else changes. */
export const describePrune = (subject: Subject): void => {
  describe('prune', () => {
    let store: Store
    beforeAll(async () => {
      store = await subject.open()
    })
    afterAll(() => store.close())
    const claimOne = async (consumer: string) => {
      const claim = { consumer, worker: 'w', limit: 1, leaseMs: 60_000 }
      const [item] = await store.work.claim(claim)
      return item!
    }
    /** Marks and claims the key once it was pruned; until then it is done again. */
    const claimedAnew = (consumer: string, tenant: TenantId, prune: () => Promise<unknown>) =>
      eventually(async () => {
        await prune()
        await store.work.mark(consumer, tenant, ['a'])
        const item = await claimOne(consumer)
        if (item.mark === 1) return item
        await store.work.done(item)
        return false
      })
    const settledKey = async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['a'])
      const item = await claimOne(consumer)
      await store.work.done(item)
      return { consumer, tenant, item }
    }

    test('what is younger stays', async () => {
      const { consumer, tenant, item } = await settledKey()
      await store.prune({ keepMs: aDay, limit: 100_000 })
      await store.work.mark(consumer, tenant, ['a'])
      expect(await claimOne(consumer)).toMatchObject({ mark: item.mark + 1 })
    })

    test('a key that is done goes, and comes back when marked, behind no fence of before', async () => {
      const { consumer, tenant, item } = await settledKey()
      const anew = await claimedAnew(consumer, tenant, () => store.prune(most))
      expect(anew).toMatchObject({ key: 'a', mark: 1, attempts: 0 })
      expect(anew.fence).toBeGreaterThan(item.fence + 1)
      expect(await store.work.done(item), 'who slept through it settles nothing').toBe(false)
      expect(await store.work.done(anew)).toBe(true)
    })

    test('work that waits, is held, failed or comes back by itself stays', async () => {
      const [consumer, tenant] = [fresh('k'), freshTenant()]
      await store.work.mark(consumer, tenant, ['back', 'failed', 'held', 'waits'])
      const claim = { consumer, worker: 'w', limit: 1, leaseMs: 60_000, tenant }
      const take = async (key: string) => (await store.work.claim({ ...claim, keys: [key] }))[0]!
      await store.work.done(await take('back'), 600_000)
      await store.work.failed(await take('failed'), { problem: 'no', afterMs: 600_000 })
      const held = await take('held')
      const other = await settledKey()
      await claimedAnew(other.consumer, other.tenant, () => store.prune(most))
      await store.work.mark(consumer, tenant, ['back', 'failed', 'held', 'waits'])
      expect(await take('back')).toMatchObject({ mark: 2 })
      expect(await take('failed')).toMatchObject({ mark: 2, attempts: 1 })
      expect(await take('waits')).toMatchObject({ mark: 2 })
      expect(await store.work.done(held)).toBe(true)
      expect(await take('held')).toMatchObject({ mark: 2 })
    })

    test('a command id that went is decided by the version of its stream', async () => {
      const [tenant, stream] = [freshTenant(), freshStream()]
      const command = request(tenant, fresh('c'), { events: [fact(stream, 0)] })
      expect(await store.log.append(command)).toMatchObject({ status: 'appended' })
      await store.prune({ keepMs: aDay, limit: 100_000 })
      expect(await store.log.append(command)).toMatchObject({ status: 'repeated' })
      await eventually(async () => {
        await store.prune(most)
        return (await store.log.append(command)).status === 'conflict'
      })
      expect(await store.log.head(tenant)).toBe(1)
    })

    test('no more than asked for goes at once', async () => {
      const counts = new Set<number>()
      await eventually(async () => {
        // Three more each time: the keys of one try may come of age between two prunes.
        for (let nth = 0; nth < 3; nth += 1) await settledKey()
        counts.add((await store.prune({ ...most, limit: 2 })).work)
        return counts.has(2)
      })
      expect(Math.max(...counts)).toBe(2)
    })

    test('housekeeping does it again and again, one process at a time', async () => {
      const { consumer, tenant } = await settledKey()
      const stop = new AbortController()
      const rounds = { one: 0, other: 0 }
      const keep = (holder: 'one' | 'other') => {
        const prune: Store['prune'] = (asked) => {
          rounds[holder] += 1
          return store.prune(asked)
        }
        const options = { ...ports, logger: silentLogger, keepMs: 5, everyMs: 100, holder }
        return createHousekeeping({ ...options, store: { leases: store.leases, prune } })
      }
      const running = [keep('one').run(stop.signal), keep('other').run(stop.signal)]
      await claimedAnew(consumer, tenant, async () => undefined)
      await eventually(() => rounds.one + rounds.other > 3)
      stop.abort()
      await Promise.all(running)
      expect(Math.min(rounds.one, rounds.other)).toBe(0)
    })
  })
}
