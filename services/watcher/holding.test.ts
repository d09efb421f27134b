import { cluster, tenantId } from '@weir/contract'
import { createMemoryStore } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { expect, test } from 'vitest'
import { createHolding } from './holding.ts'
import type { KnownCluster } from './registry.ts'

const connected = (tenant: string, version: number): KnownCluster => ({
  tenant: tenantId.parse(tenant),
  cluster: cluster.parse({
    id: '11111111-1111-4111-8111-111111111111',
    tenant,
    name: 'main',
    server: `https://${tenant}.example`,
    driver: 'edge',
    defaultClass: true,
    nodeCidrs: ['10.0.0.0/8'],
  }),
  served: true,
  version,
})

test('two tenants that name the same cluster are each watched, and do not disturb each other', async () => {
  const common = { clock: systemClock, ids: systemIds }
  const over = new AbortController()
  const begun: string[] = []
  let ended = 0
  let lists = 0
  let clusters = [connected('acme', 3), connected('evil', 7)]
  const holding = createHolding({
    ...common,
    leases: createMemoryStore(common).leases,
    holder: 'watcher/1',
    clusters: async () => {
      lists += 1
      return clusters
    },
    watch: async ({ tenant }, _fence, signal) => {
      begun.push(tenant)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      ended += 1
    },
    logger: silentLogger,
    leaseMs: 100,
  })
  const running = holding.run(over.signal)
  const again = async (): Promise<void> => {
    const before = lists
    await eventually(() => {
      holding.wake()
      return lists > before + 3
    })
  }
  await again()
  expect(begun).toEqual(['acme', 'evil'])
  clusters = [connected('acme', 3)]
  await again()
  expect({ begun, ended }).toEqual({ begun: ['acme', 'evil'], ended: 1 })
  over.abort()
  await running
})

test('who paused while another held the cluster watches it anew, with the new fence', async () => {
  const common = { clock: systemClock, ids: systemIds }
  const { leases } = createMemoryStore(common)
  const over = new AbortController()
  const fences: number[] = []
  let pause: Promise<void> | undefined
  let isPaused = false
  const holding = createHolding({
    ...common,
    leases: {
      ...leases,
      take: async (name, holder, ms) => {
        isPaused = pause !== undefined
        await pause
        return leases.take(name, holder, ms)
      },
    },
    holder: 'watcher/1',
    clusters: async () => [connected('acme', 3)],
    watch: async (_known, fence, signal) => {
      fences.push(fence)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    },
    logger: silentLogger,
    leaseMs: 100,
  })
  const running = holding.run(over.signal)
  await eventually(() => fences.length === 1)
  const { promise, resolve: wakeUp } = Promise.withResolvers<void>()
  pause = promise
  const name = 'cluster-11111111-1111-4111-8111-111111111111'
  await eventually(
    async () => isPaused && (await leases.take(name, 'watcher/2', 100)) !== undefined,
  )
  await leases.release(name, 'watcher/2')
  pause = undefined
  wakeUp()
  await eventually(() => fences.length === 2)
  expect(fences[1]).toBeGreaterThan(fences[0] ?? Infinity)
  over.abort()
  await running
})

test('a lease that is not renewed in time ends the watch, also while the renewal has no answer', async () => {
  const common = { clock: systemClock, ids: systemIds }
  const { leases } = createMemoryStore(common)
  const over = new AbortController()
  const answer = Promise.withResolvers<void>()
  let takes = 0
  const events: string[] = []
  const holding = createHolding({
    ...common,
    leases: {
      ...leases,
      take: async (...asked) => {
        takes += 1
        if (takes === 2) await answer.promise
        return leases.take(...asked)
      },
    },
    holder: 'watcher/1',
    clusters: async () => [connected('acme', 3)],
    watch: async (_known, _fence, signal) => {
      events.push('begun')
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      events.push('ended')
    },
    logger: silentLogger,
    leaseMs: 100,
  })
  const running = holding.run(over.signal)
  await eventually(() => events.length === 2)
  expect(takes).toBe(2)
  answer.resolve()
  await eventually(() => events.length === 3)
  expect(events).toEqual(['begun', 'ended', 'begun'])
  over.abort()
  await running
})
