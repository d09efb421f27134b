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
