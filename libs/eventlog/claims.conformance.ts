import type { TenantId } from '@weir/contract'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AppendOutcome, ClaimChange, Store } from './eventlog.ts'
import {
  fact,
  fresh,
  freshStream,
  freshTenant,
  request,
  type Subject,
} from './facts.conformance.ts'

const take = (key: string, holder: string): ClaimChange => ({
  change: 'take',
  scope: 'address',
  key,
  holder,
})
const release = (key: string, holder: string, restMs: number): ClaimChange => ({
  change: 'release',
  scope: 'address',
  key,
  holder,
  restMs,
})

export const describeClaims = (subject: Subject): void => {
  describe('claims', () => {
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
    const change = (
      tenant: TenantId,
      claims: readonly ClaimChange[],
      service = store,
    ): Promise<AppendOutcome> =>
      service.log.append(request(tenant, fresh('c'), { claims, events: [fact(freshStream(), 0)] }))
    const statusOf = async (
      tenant: TenantId,
      claims: readonly ClaimChange[],
    ): Promise<AppendOutcome['status']> => (await change(tenant, claims)).status

    test('a free key is taken, by its holder again, and by nobody else of any tenant', async () => {
      const [tenant, neighbour, key] = [freshTenant(), freshTenant(), fresh('ip')]
      expect(await statusOf(tenant, [take(key, 'lb1')])).toBe('appended')
      expect(await statusOf(tenant, [take(key, 'lb1')])).toBe('appended')
      const refused = { status: 'claimed', scope: 'address', key }
      expect(await change(tenant, [take(key, 'lb2')])).toEqual(refused)
      expect(await change(neighbour, [take(key, 'lb1')])).toEqual(refused)
      expect(await store.log.claims('address', key)).toEqual([
        { key, holder: 'lb1', lastHolder: null, tenant, releasedAt: null, restsUntil: null },
      ])
    })

    test('one refused claim refuses the whole decision', async () => {
      const [tenant, held, free] = [freshTenant(), fresh('ip'), fresh('ip')]
      await change(tenant, [take(held, 'lb1')])
      const head = await store.log.head(tenant)
      expect(await statusOf(tenant, [take(free, 'lb2'), take(held, 'lb2')])).toBe('claimed')
      expect(await store.log.head(tenant)).toBe(head)
      expect(await store.log.claims('address', free)).toEqual([])
    })

    test('a key that rests is for its last holder alone, and for anybody afterwards', async () => {
      const [tenant, key] = [freshTenant(), fresh('ip')]
      await change(tenant, [take(key, 'lb1')])
      await change(tenant, [release(key, 'lb1', 60_000)])
      const [claim] = await store.log.claims('address', key)
      expect(claim).toMatchObject({ holder: null, lastHolder: 'lb1', tenant })
      expect(claim!.restsUntil! - claim!.releasedAt!).toBe(60_000)
      expect(await statusOf(tenant, [take(key, 'lb2')])).toBe('claimed')
      expect(await statusOf(tenant, [take(key, 'lb1')])).toBe('appended')
      await change(tenant, [release(key, 'lb1', 30)])
      await eventually(async () => (await statusOf(tenant, [take(key, 'lb2')])) === 'appended')
      expect(await statusOf(tenant, [take(key, 'lb1')])).toBe('claimed')
    })

    test('a key is handed over by a request that takes it and lets go of it, for its holder alone', async () => {
      const [tenant, neighbour, key] = [freshTenant(), freshTenant(), fresh('ip')]
      await change(tenant, [take(key, 'lb1')])
      const handOver = (from: string, to: string) => [release(key, from, 60_000), take(key, to)]
      expect(await statusOf(tenant, handOver('lb2', 'lb3'))).toBe('claimed')
      expect(await statusOf(neighbour, handOver('lb1', 'lb3'))).toBe('claimed')
      expect(await statusOf(tenant, handOver('lb1', 'shared'))).toBe('appended')
      expect(await store.log.claims('address', key)).toMatchObject([{ holder: 'shared', tenant }])
      expect(await statusOf(tenant, [take(key, 'lb1')])).toBe('claimed')
      expect(await statusOf(tenant, handOver('shared', 'lb2').toReversed())).toBe('appended')
      expect(await store.log.claims('address', key)).toMatchObject([{ holder: 'lb2' }])
    })

    test('letting go of what one does not hold changes nothing', async () => {
      const [tenant, neighbour, key] = [freshTenant(), freshTenant(), fresh('ip')]
      await change(tenant, [take(key, 'lb1')])
      expect(await statusOf(tenant, [release(key, 'lb2', 0)])).toBe('appended')
      expect(await statusOf(neighbour, [release(key, 'lb1', 0)])).toBe('appended')
      expect(await statusOf(neighbour, [release(fresh('ip'), 'lb1', 0)])).toBe('appended')
      expect(await store.log.claims('address', key)).toMatchObject([{ holder: 'lb1', tenant }])
    })

    test('the same command again does not take back what was let go since', async () => {
      const [tenant, key] = [freshTenant(), fresh('ip')]
      const taking = request(tenant, 'c1', { claims: [take(key, 'lb1')] })
      expect(await store.log.append(taking)).toEqual({ status: 'appended', events: [] })
      await change(tenant, [release(key, 'lb1', 0)])
      expect((await store.log.append(taking)).status).toBe('repeated')
      expect(await store.log.claims('address', key)).toMatchObject([{ holder: null }])
    })

    test('of many who want the same keys at once, in any order, one gets each and nobody hangs', async () => {
      const keys = Array.from({ length: 6 }, () => fresh('ip'))
      const tenants = Array.from({ length: 4 }, freshTenant)
      const tries = tenants.flatMap((tenant, index) =>
        [store, other].map((service, who) => {
          const order = (index + who) % 2 === 0 ? keys : keys.toReversed()
          const wanted = order.slice(0, 4).map((key) => take(key, `lb-${who}`))
          return change(tenant, wanted, service)
        }),
      )
      const outcomes = await Promise.all(tries)
      expect(outcomes.filter(({ status }) => status === 'appended').length).toBeGreaterThan(0)
      const holders = new Map<string, string>()
      for (const key of keys) {
        const [claim] = await store.log.claims('address', key)
        if (claim) holders.set(key, `${claim.tenant} ${claim.holder}`)
      }
      // Each winner took all four of its keys, so no key has two holders and no decision is half.
      const wins = outcomes.filter(({ status }) => status === 'appended').length
      expect(holders.size).toBeGreaterThanOrEqual(4)
      expect(new Set(holders.values()).size).toBe(wins)
    })

    test('claims are listed by scope and prefix, by key', async () => {
      const [tenant, prefix] = [freshTenant(), fresh('10.0.0')]
      const scoped = { change: 'take', scope: 'frontend', holder: 'lb1' } as const
      await change(tenant, [
        take(`${prefix}.2`, 'lb1'),
        take(`${prefix}.1`, 'lb1'),
        { ...scoped, key: `${prefix}.1/TCP/80` },
      ])
      const keys = async (scope: 'address' | 'frontend') =>
        (await store.log.claims(scope, prefix)).map(({ key }) => key)
      expect(await keys('address')).toEqual([`${prefix}.1`, `${prefix}.2`])
      expect(await keys('frontend')).toEqual([`${prefix}.1/TCP/80`])
    })
  })
}
