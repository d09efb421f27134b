// A provider with as many resources as asked for, kept as one bit each: whatever memory a scan takes is
// the scan's own. It counts what it is asked, and refuses what is beyond its rate.
import {
  desiredResource,
  driverName,
  installationId,
  type ClusterId,
  type DesiredResource,
  type DriverName,
  type ResourceKey,
  type ServiceUid,
  type TenantId,
} from '@weir/contract'
import {
  createBudget,
  memoryCapabilities,
  type Driver,
  type InventoryItem,
  type Outcome,
} from '@weir/drivers'
import type { Clock } from '@weir/kernel'

export const installation = installationId.parse('bench')
export const synthetic: DriverName = driverName.parse('synthetic')
export const tenants = 20
const pageSize = 1000

const uuid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

/** The resource number `index`, as the log intends it and the provider has it. */
export const resourceAt = (index: number): DesiredResource =>
  desiredResource.parse({
    marks: {
      installation,
      tenant: `tenant-${index % tenants}`,
      cluster: uuid(900_000_000 + (index % tenants)),
      service: uuid(index),
      key: `${synthetic}-${uuid(index)}`,
      epoch: 1,
    },
    driver: synthetic,
    generation: 1,
    frontends: [{ ip: '0.0.0.0', protocol: 'TCP', port: 80, nodePort: 30_080 }],
    targets: [1, 2, 3].map((node) => ({ node: `node-${node}`, ip: `10.0.0.${node}`, weight: 1 })),
    policy: 'Cluster',
    health: { port: 10_256, path: '/healthz', weightFromHeader: false },
    sourceRanges: [],
    affinity: { kind: 'None' },
    proxyProtocol: 'none',
  })

const { marks: pattern } = resourceAt(0)

/** As `resourceAt`, without the checks: what a provider answers costs it, and not the scan. */
const itemAt = (index: number): InventoryItem => ({
  kind: 'load balancer',
  ref: `lb-${index}`,
  marks: {
    ...pattern,
    tenant: `tenant-${index % tenants}` as TenantId,
    cluster: uuid(900_000_000 + (index % tenants)) as ClusterId,
    service: uuid(index) as ServiceUid,
    key: `${synthetic}-${uuid(index)}` as ResourceKey,
  },
  generation: 1,
})

export interface SyntheticProvider {
  readonly driver: Driver
  left(): number
  /** When each delete took effect, milliseconds. */
  readonly deletedAt: readonly number[]
  refusals(): number
}

export const createSyntheticProvider = (
  count: number,
  rate: { readonly perSecond: number; readonly burst: number },
  clock: Clock,
): SyntheticProvider => {
  const gone = new Uint8Array(count)
  const deletedAt: number[] = []
  let refusals = 0
  const budget = createBudget({ clock, read: { perSecond: 1e6, burst: 1e6 }, write: rate })
  const at = (ref: string): number => Number(ref.slice('lb-'.length))
  const remove = (tenant: string, index: number): Outcome => {
    const grant = budget.ask(tenant, 'write')
    if (!grant.granted) {
      refusals += 1
      return { status: 'retry', afterMs: grant.retryMs, problem: 'the rate is used up' }
    }
    gone[index] = 1
    deletedAt.push(clock.now())
    return { status: 'pending', lookAgainMs: 1000 }
  }
  const never = (): never => {
    throw new Error('a scan makes and changes nothing')
  }
  return {
    deletedAt,
    refusals: () => refusals,
    left: () => count - gone.reduce((sum, each) => sum + each, 0),
    driver: {
      name: synthetic,
      capabilities: memoryCapabilities,
      probe: async () => ({
        status: 'ready',
        account: 'bench',
        found: 'a provider in memory',
        capabilities: memoryCapabilities,
      }),
      observe: async (marks) =>
        gone[Number(marks.service.slice(-12))] === 1
          ? { status: 'absent', confirmedBy: [synthetic] }
          : { status: 'unknown', problem: 'nobody looks here' },
      plan: never,
      execute: never,
      poll: never,
      inventory: async (cursor = '0') => {
        const from = Number(cursor)
        const to = Math.min(count, from + pageSize)
        const resources: InventoryItem[] = []
        for (let index = from; index < to; index += 1) {
          if (gone[index] === 0) resources.push(itemAt(index))
        }
        return to < count ? { resources, next: String(to) } : { resources }
      },
      release: async ({ ref, marks }) =>
        gone[at(ref)] === 1 ? { status: 'done' } : remove(marks.tenant, at(ref)),
      onChange: () => undefined,
    },
  }
}
