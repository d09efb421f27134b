// One installation and everything around it, in one process: tenants' clusters, the log, the bus, clouds, and
// the processes of every service, which come and go.
import { createMemoryBus, type MemoryBus } from '@weir/bus'
import {
  clusterId,
  driverName,
  installationId,
  ownershipMarks,
  tenantId,
  type Cluster,
  type TenantId,
} from '@weir/contract'
import { createMemoryStore, type Claim, type EventLog, type Store } from '@weir/eventlog'
import { encodeCredentials } from '@weir/kube'
import { createCloud, type Cloud } from '../cloud/cloud.ts'
import type { FaultPlan } from '../faults.ts'
import { createKubeCluster, type KubeCluster } from '../kube/cluster.ts'
import { worldClock } from '../scheduler/actor.ts'
import type { Random } from '../scheduler/random.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { createLedger, type Ledger } from '../truth/ledger.ts'
import { authority } from './authority.ts'
import { createOperator, type Operator } from './operator.ts'
import type { Topology } from './topology.ts'

export const installation = installationId.parse('simulated')

export interface TenantCluster {
  readonly tenant: TenantId
  /** As it is connected now. */
  cluster: Cluster
  readonly kube: KubeCluster
  /** False once it is deregistered. */
  served: boolean
}

export interface World {
  readonly topology: Topology
  readonly scheduler: Scheduler
  readonly random: Random
  readonly faults: FaultPlan
  readonly ledger: Ledger
  /** The store itself, without faults: what is committed here is true. */
  readonly store: Store
  readonly bus: MemoryBus
  readonly clouds: readonly Cloud[]
  readonly clusters: readonly TenantCluster[]
  readonly operator: Operator
  /** The rows of addresses, as they are. */
  readonly claims: () => readonly Claim[]
}

export interface WorldPorts {
  readonly topology: Topology
  readonly scheduler: Scheduler
  readonly random: Random
  readonly faults: FaultPlan
}

export const createWorld = async (ports: WorldPorts): Promise<World> => {
  const { scheduler, random, faults, topology } = ports
  const ledger = createLedger(() => scheduler.now())
  const ids = { uuid: () => random.uuid(), random: () => random.next() }
  const bare = createMemoryStore({ clock: worldClock(scheduler, 'store'), ids })
  const rows: { claims: readonly Claim[] } = { claims: [] }
  const log = writtenDown(bare.log, ledger, (claims) => Object.assign(rows, { claims }))
  const store = { ...bare, log }
  const bus = createMemoryBus({ clock: worldClock(scheduler, 'bus'), random: () => random.next() })
  const operator = createOperator(store)
  const world: World = {
    ...ports,
    ledger,
    store,
    bus,
    operator,
    claims: () => rows.claims,
    clouds: topology.drivers.map((shape) => cloudOf(shape, { scheduler, faults, ledger })),
    clusters: clustersOf(ports),
  }
  for (const cloud of world.clouds) {
    plantForeign(cloud)
    if (cloud.kind === 'cloud') await operator.configureDriver(cloud.name)
  }
  await operator.createPool(poolOf(topology))
  for (const at of world.clusters) {
    follow(at, ledger)
    await connect(world, at)
  }
  return world
}

export const poolOf = ({ addresses, quarantineSeconds }: Topology, more = 0) => ({
  name: 'public',
  ranges: [{ first: '198.51.100.1', last: `198.51.100.${addresses + more}` }],
  priority: 10,
  tenants: null,
  quarantineSeconds,
})

/** Every event is in the ledger at the step that commits it. */
const writtenDown = (
  log: EventLog,
  ledger: Ledger,
  onClaims: (claims: readonly Claim[]) => void,
): EventLog => ({
  ...log,
  append: async (request) => {
    const outcome = await log.append(request)
    if (outcome.status === 'appended') {
      for (const event of outcome.events) ledger.write({ kind: 'event', event })
      if ((request.claims ?? []).length > 0) onClaims(await log.claims('address', ''))
    }
    return outcome
  },
})

const cloudOf = (
  shape: Topology['drivers'][number],
  at: Pick<WorldPorts, 'scheduler' | 'faults'> & { readonly ledger: Ledger },
): Cloud => {
  const { scheduler, faults, ledger } = at
  return createCloud({
    shape,
    faults,
    now: () => scheduler.now(),
    later: (label, ms, run) => scheduler.add({ label, due: scheduler.now() + ms, run }),
    onAct: (act) => ledger.write({ kind: 'provider', act }),
  })
}

/** What others have in the same account: made by hand, or by another installation of ours. */
const plantForeign = (cloud: Cloud): void => {
  const service = '99999999-9999-4999-8999-999999999999'
  const marks = ownershipMarks.parse({
    installation: 'another',
    tenant: 'acme',
    cluster: service,
    service,
    key: `${cloud.name}-${service}`,
    epoch: 1,
  })
  const plain = { desired: null, state: 'active', address: null } as const
  cloud.plant({ ref: `${cloud.name}-by-hand`, name: 'by-hand', marks: null, ...plain })
  cloud.plant({ ref: `${cloud.name}-another`, name: 'another', marks, ...plain })
}

const clustersOf = ({ topology, scheduler, random }: WorldPorts): TenantCluster[] => {
  const names = ['acme', 'zeta'].slice(0, topology.tenants)
  const numbers = Array.from({ length: topology.clustersPerTenant }, (_, index) => index + 1)
  return names.flatMap((name) =>
    numbers.map((number) => {
      const id = clusterId.parse(random.uuid())
      const server = `https://${name}-${number}.example`
      const clock = worldClock(scheduler, 'kube')
      const kube = createKubeCluster({ id, server, clock, random: random.fork(server) })
      const tenant = tenantId.parse(name)
      const cluster: Cluster = {
        id,
        tenant,
        name: `${name}-${number}`,
        server,
        driver: driverName.parse(topology.defaultDriver),
        defaultClass: true,
        nodeCidrs: ['10.1.0.0/16' as never],
      }
      return { tenant, cluster, kube, served: true }
    }),
  )
}

const follow = ({ tenant, cluster, kube }: TenantCluster, ledger: Ledger): void => {
  kube.store.onChange((change) =>
    ledger.write({ kind: 'kube-change', cluster: cluster.id, tenant, change }),
  )
  for (const number of [1, 2, 3]) kube.putNode(`n${number}`, `10.1.0.${number}`)
}

const connect = async (
  { store, operator }: World,
  { tenant, cluster }: TenantCluster,
): Promise<void> => {
  const sealed = encodeCredentials({
    server: cluster.server,
    ca: authority,
    auth: { kind: 'token', token: 'simulated' },
  })
  const at = `cluster-credentials/${cluster.id}`
  await store.vault.put(tenant, at, new TextEncoder().encode(sealed))
  await operator.connect(tenant, cluster)
}
