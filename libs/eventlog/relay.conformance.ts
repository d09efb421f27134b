import { relayShardOf, type RecordedEvent, type TenantId } from '@weir/contract'
import { Bug, silentLogger } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from './eventlog.ts'
import {
  fact,
  fresh,
  freshStream,
  freshTenant,
  history,
  ports,
  recorded,
  request,
  sequences,
  upTo,
  type Subject,
} from './facts.conformance.ts'
import { createRelay, type RelayOptions } from './relay.ts'

export const describeRelay = (subject: Subject): void => {
  describe('relay', () => {
    let store: Store
    beforeAll(async () => {
      store = await subject.open()
    })
    afterAll(() => store.close())
    const running: { stop: AbortController; run: Promise<void> }[] = []
    const stopAll = async (): Promise<void> => {
      for (const { stop, run } of running.splice(0)) {
        stop.abort()
        await run
      }
    }
    afterEach(stopAll)

    /** A running relay and what it published of one tenant, in order, repetitions included. */
    const start = (tenant: TenantId, rest: Partial<RelayOptions> = {}) => {
      const published: RecordedEvent[] = []
      const relay = createRelay({
        store,
        holder: fresh('relay'),
        publish: async (events) =>
          void published.push(...events.filter(({ tenantid }) => tenantid === tenant)),
        ...ports,
        logger: silentLogger,
        pollMs: 50,
        ...rest,
      })
      const stop = new AbortController()
      running.push({ stop, run: relay.run(stop.signal) })
      return { relay, published, stop }
    }
    const carrying = async (relay: ReturnType<typeof start>['relay'], tenant: TenantId) =>
      eventually(() => relay.carries(tenant))
    const cursorIsAtHead = async (tenant: TenantId): Promise<boolean> =>
      !(await store.work.lagging('relay')).some((lag) => lag.tenant === tenant)

    test('every event is published once and in order, with nobody telling of it', async () => {
      const tenant = freshTenant()
      await history(store, tenant, 3)
      const { published } = start(tenant)
      await eventually(() => published.length === 3)
      await history(store, tenant, 30)
      await eventually(() => published.length === 33)
      expect(sequences(published)).toEqual(upTo(33))
      await eventually(() => cursorIsAtHead(tenant))
    })

    test('a hint has the events published without waiting for the next look', async () => {
      const tenant = freshTenant()
      const { relay, published } = start(tenant, { pollMs: 60_000 })
      await carrying(relay, tenant)
      for (const count of upTo(5)) {
        await history(store, tenant, 1)
        relay.wake(tenant)
        await eventually(() => published.length === count)
      }
      expect(sequences(published)).toEqual(upTo(5))
    })

    test('events that are offered are published unread, and a gap between them is read', async () => {
      const tenant = freshTenant()
      const { relay, published } = start(tenant, { pollMs: 60_000 })
      await carrying(relay, tenant)
      relay.offer(await history(store, tenant, 1))
      await eventually(() => published.length === 1)
      const reads = relay.health().counts.reads
      const append = (id: string) =>
        recorded(store, request(tenant, id, { events: [fact(freshStream(), 0)] }))
      relay.offer(await append('c2'))
      await eventually(() => published.length === 2)
      expect(relay.health().counts.reads).toBe(reads)
      await append('c3')
      relay.offer(await append('c4'))
      await eventually(() => published.length === 4)
      expect(sequences(published)).toEqual(upTo(4))
    })

    test('a publish that fails is repeated and nothing is skipped', async () => {
      const tenant = freshTenant()
      const got: number[] = []
      let tries = 0
      const { relay } = start(tenant, {
        publish: async (events) => {
          const mine = events.filter(({ tenantid }) => tenantid === tenant)
          if (mine.length === 0) return
          tries += 1
          if (tries % 2 === 1) throw new Error('bus is away')
          got.push(...sequences(mine))
        },
      })
      for (let round = 0; round < 3; round += 1) {
        await history(store, tenant, 2)
        await eventually(() => got.length === (round + 1) * 2)
      }
      expect(got).toEqual(upTo(6))
      expect(relay.health().counts.failures).toBeGreaterThanOrEqual(3)
    })

    test('a broken invariant ends run', async () => {
      const tenant = freshTenant()
      await history(store, tenant, 1)
      const relay = createRelay({
        store,
        holder: fresh('relay'),
        publish: () => Promise.reject(new Bug('impossible')),
        ...ports,
        logger: silentLogger,
        pollMs: 20,
      })
      await expect(relay.run(new AbortController().signal)).rejects.toThrow('impossible')
    })

    test('each shard is carried by one process, and by the next when that one stops or dies', async () => {
      const tenant = freshTenant()
      const one = start(tenant, { leaseMs: 300 })
      await carrying(one.relay, tenant)
      const two = start(tenant, { leaseMs: 300 })
      await history(store, tenant, 3)
      await eventually(() => one.published.length === 3)
      expect(two.relay.carries(tenant)).toBe(false)
      expect(two.published).toEqual([])
      one.stop.abort()
      await carrying(two.relay, tenant)
      await history(store, tenant, 3)
      await eventually(() => two.published.length >= 3)
      expect(sequences(two.published).slice(-3)).toEqual([4, 5, 6])
      const taken = await store.leases.take(`relay-${relayShardOf(tenant)}`, 'x', 1)
      expect(taken).toBeUndefined()
    })

    test('a long backlog comes in pages, in order', async () => {
      const tenant = freshTenant()
      const events = Array.from({ length: 100 }, () => fact(freshStream(), 0))
      for (let page = 0; page < 13; page += 1) {
        const chunk = events.map((one) => ({ ...one, stream: freshStream() }))
        await recorded(store, request(tenant, `c${page}`, { events: chunk }))
      }
      const { published } = start(tenant)
      await eventually(() => published.length === 1_300)
      expect(sequences(published)).toEqual(upTo(1_300))
    })
  })
}
