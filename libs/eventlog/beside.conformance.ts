import type { ClusterId } from '@weir/contract'
import { systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from './eventlog.ts'
import { fresh, freshTenant, nodesSeen, type Subject } from './facts.conformance.ts'

const node = (name: string) => ({ name, addresses: [], excluded: null })

export const describeBeside = (subject: Subject): void => {
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
  const claimed = async (consumer: string) =>
    (await store.work.claim({ consumer, worker: 'w', limit: 10, leaseMs: 60_000 })).map(
      ({ key }) => key,
    )

  describe('observed', () => {
    test('a new observation is kept and marks its keys', async () => {
      const [consumer, tenant, cluster] = [fresh('k'), freshTenant(), systemIds.uuid()]
      const seen = nodesSeen(tenant, cluster)
      expect(await store.observed.store(consumer, [{ seen, keys: ['a', 'b'] }])).toEqual([seen])
      const at = { tenant, cluster: cluster as ClusterId, kind: 'nodes' } as const
      expect(await other.observed.get({ ...at, key: 'all' })).toEqual(seen)
      expect(await other.observed.get({ ...at, key: 'other' })).toBeUndefined()
      expect(await other.observed.list(at)).toEqual([seen])
      expect(await other.observed.list({ ...at, kind: 'service' })).toEqual([])
      expect((await claimed(consumer)).toSorted()).toEqual(['a', 'b'])
    })

    test('what is older or tells nothing new marks nothing', async () => {
      const [consumer, tenant, cluster] = [fresh('k'), freshTenant(), systemIds.uuid()]
      const at = { tenant, cluster: cluster as ClusterId, kind: 'nodes', key: 'all' } as const
      const steps = [
        [{ watcherEpoch: 2, order: 5, nodes: [node('a')] }, true],
        [{ watcherEpoch: 2, order: 4, nodes: [node('b')] }, false],
        [{ watcherEpoch: 1, order: 9, nodes: [node('b')] }, false],
        [{ watcherEpoch: 2, order: 5, nodes: [node('b')] }, false],
        [{ watcherEpoch: 2, order: 7, nodes: [node('a')], seenAt: 'later' }, false],
        // Between the last two: late, though it is newer than the last change.
        [{ watcherEpoch: 2, order: 6, nodes: [node('b')] }, false],
        [{ watcherEpoch: 3, order: 1, nodes: [node('b')] }, true],
      ] as const
      for (const [facts, changes] of steps) {
        const seen = nodesSeen(tenant, cluster, { ...facts, nodes: [...facts.nodes] })
        const changed = await store.observed.store(consumer, [{ seen, keys: ['k'] }])
        expect(changed, JSON.stringify(facts)).toEqual(changes ? [seen] : [])
        const [item] = await store.work.claim({ consumer, worker: 'w', limit: 1, leaseMs: 60_000 })
        expect(item?.key).toBe(changes ? 'k' : undefined)
        if (item) await store.work.done(item)
      }
      expect((await store.observed.get(at))?.nodes).toEqual([node('b')])
    })

    test('each consumer is told of a change', async () => {
      const [one, two, tenant] = [fresh('k'), fresh('k'), freshTenant()]
      const seen = nodesSeen(tenant, systemIds.uuid())
      expect(await store.observed.store(one, [{ seen, keys: ['a'] }])).toHaveLength(1)
      expect(await store.observed.store(two, [{ seen, keys: ['a'] }])).toHaveLength(1)
      expect(await claimed(one)).toEqual(['a'])
      expect(await claimed(two)).toEqual(['a'])
      expect(
        await store.observed.list({ tenant, cluster: seen.cluster, kind: 'nodes' }),
      ).toHaveLength(1)
    })

    test('of one object seen several times in a batch the newest counts', async () => {
      const [consumer, tenant, cluster] = [fresh('k'), freshTenant(), systemIds.uuid()]
      const late = nodesSeen(tenant, cluster, { order: 3, nodes: [node('c')] })
      const early = nodesSeen(tenant, cluster, { order: 2, nodes: [node('b')] })
      const elsewhere = nodesSeen(tenant, systemIds.uuid())
      const changed = await store.observed.store(consumer, [
        { seen: late, keys: ['late'] },
        { seen: early, keys: ['early'] },
        { seen: elsewhere, keys: [] },
      ])
      expect(changed).toEqual([late, elsewhere])
      expect(await store.observed.store(consumer, [])).toEqual([])
    })
  })

  describe('leases', () => {
    test('one holder at a time, renewed by itself, with a fence that rises with every new holder', async () => {
      const name = fresh('lease')
      const first = await store.leases.take(name, 'a', 60_000)
      expect(await store.leases.take(name, 'a', 60_000)).toEqual(first)
      expect(await other.leases.take(name, 'b', 60_000)).toBeUndefined()
      await other.leases.release(name, 'b')
      expect(await other.leases.take(name, 'b', 60_000)).toBeUndefined()
      await store.leases.release(name, 'a')
      const second = await other.leases.take(name, 'b', 60_000)
      expect(second!.fence).toBeGreaterThan(first!.fence)
    })

    test('a lease that is not renewed goes to the next', async () => {
      const name = fresh('lease')
      const first = await store.leases.take(name, 'a', 20)
      const second = await eventually(() => other.leases.take(name, 'b', 60_000))
      expect(second.fence).toBeGreaterThan(first!.fence)
      expect(await store.leases.take(name, 'a', 20)).toBeUndefined()
    })

    test('of many who ask at once one holds', async () => {
      const name = fresh('lease')
      const asked = ['a', 'b', 'c', 'd'].map((holder, index) =>
        (index % 2 === 0 ? store : other).leases.take(name, holder, 60_000),
      )
      expect((await Promise.all(asked)).filter((lease) => lease !== undefined)).toHaveLength(1)
    })
  })

  describe('vault', () => {
    test('a document is kept, replaced, listed over tenants and removed', async () => {
      const [tenant, neighbour, name] = [freshTenant(), freshTenant(), fresh('token')]
      await store.vault.put(tenant, `${name}/1`, new Uint8Array([0, 255, 1]))
      await store.vault.put(tenant, `${name}/1`, new Uint8Array([7]))
      await store.vault.put(neighbour, `${name}/2`, new Uint8Array([]))
      expect(await other.vault.get(tenant, `${name}/1`)).toEqual(new Uint8Array([7]))
      expect(await other.vault.get(neighbour, `${name}/1`)).toBeUndefined()
      expect(await other.vault.list(name)).toEqual(
        [
          { tenant, name: `${name}/1` },
          { tenant: neighbour, name: `${name}/2` },
        ].toSorted((a, b) => (a.tenant < b.tenant ? -1 : 1)),
      )
      await other.vault.remove(tenant, `${name}/1`)
      expect(await store.vault.get(tenant, `${name}/1`)).toBeUndefined()
      await store.ping()
    })
  })
}
