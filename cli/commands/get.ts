import { systemClock } from '@weir/kernel'
import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { age, show, type Column, type Format } from '../output.ts'
import { balancerPage, hostOf, portsOf, type Balancer } from './balancer.ts'

interface GetFlags {
  readonly output: Format
  readonly all?: boolean
}

type Lister = (client: ApiClient, flags: GetFlags) => Promise<void>

const now = (): number => systemClock.now()

/** Where it answers; before it does, what is held for it. */
const addressOf = ({ leases, ingress }: Balancer): string => {
  const hosts = ingress.map(hostOf)
  return (hosts.length > 0 ? hosts : leases.map(({ ip }) => ip)).join(',') || '<none>'
}

const balancerColumns: readonly Column<Balancer>[] = [
  { heading: 'NAMESPACE', cell: (lb) => lb.namespace },
  { heading: 'NAME', cell: (lb) => lb.name },
  { heading: 'STATUS', cell: (lb) => lb.status },
  { heading: 'ADDRESS', cell: addressOf },
  {
    heading: 'PORTS',
    cell: (lb) =>
      portsOf(lb)
        .map((at) => `${at.port}/${at.protocol}`)
        .join(','),
  },
  { heading: 'POLICY', cell: (lb) => lb.intent.externalTrafficPolicy },
  {
    heading: 'TARGETS',
    cell: (lb) => String(lb.targets.filter(({ weight }) => weight > 0).length - lb.out.length),
  },
  { heading: 'REASON', cell: (lb) => lb.reason?.code ?? '' },
  { heading: 'UPDATED', cell: (lb) => age(lb.updatedAt, now()) },
]

const listBalancers: Lister = async (client, flags) => {
  const items: Balancer[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = new URLSearchParams({
      limit: '500',
      all: String(flags.all ?? false),
      ...(cursor ? { cursor } : {}),
    })
    const path = `/v1/tenants/${client.tenant}/load-balancers?${query.toString()}`
    const page: z.infer<typeof balancerPage> = await client.get(path, balancerPage)
    items.push(...page.items)
    cursor = page.nextCursor
  }
  show(flags.output, items, items, balancerColumns)
}

const pools = z.object({
  items: z.array(
    z.looseObject({
      name: z.string(),
      priority: z.int(),
      ranges: z.array(
        z.union([
          z.object({ block: z.string() }),
          z.object({ first: z.string(), last: z.string() }),
        ]),
      ),
      tenants: z.array(z.string()).nullable(),
      quarantineSeconds: z.int(),
      size: z.string(),
      held: z.int(),
      resting: z.int(),
    }),
  ),
})

const listPools: Lister = async (client, flags) => {
  const { items } = await client.get('/v1/pools', pools)
  show(flags.output, items, items, [
    { heading: 'NAME', cell: (pool) => pool.name },
    {
      heading: 'RANGES',
      cell: (pool) =>
        pool.ranges.map((r) => ('block' in r ? r.block : `${r.first}-${r.last}`)).join(','),
    },
    { heading: 'SIZE', cell: (pool) => pool.size },
    { heading: 'HELD', cell: (pool) => String(pool.held) },
    { heading: 'RESTING', cell: (pool) => String(pool.resting) },
    { heading: 'PRIORITY', cell: (pool) => String(pool.priority) },
    { heading: 'TENANTS', cell: (pool) => pool.tenants?.join(',') ?? 'all' },
    { heading: 'QUARANTINE', cell: (pool) => `${pool.quarantineSeconds}s` },
  ])
}

const clusters = z.object({
  items: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string(),
      server: z.string(),
      driver: z.string(),
      defaultClass: z.boolean(),
    }),
  ),
})

const listClusters: Lister = async (client, flags) => {
  const { items } = await client.get(`/v1/tenants/${client.tenant}/clusters`, clusters)
  show(flags.output, items, items, [
    { heading: 'NAME', cell: (cluster) => cluster.name },
    { heading: 'ID', cell: (cluster) => cluster.id },
    { heading: 'SERVER', cell: (cluster) => cluster.server },
    { heading: 'DRIVER', cell: (cluster) => cluster.driver },
    { heading: 'DEFAULT', cell: (cluster) => String(cluster.defaultClass) },
  ])
}

const listTenants: Lister = async (client, flags) => {
  const schema = z.object({ items: z.array(z.object({ tenant: z.string(), name: z.string() })) })
  const { items } = await client.get('/v1/tenants', schema)
  show(flags.output, items, items, [
    { heading: 'TENANT', cell: (each) => each.tenant },
    { heading: 'NAME', cell: (each) => each.name },
  ])
}

const edges = z.object({
  items: z.array(
    z.looseObject({
      fleet: z.string(),
      edge: z.string(),
      dataPlane: z.string(),
      startedAt: z.string(),
      at: z.string(),
      resources: z.array(z.unknown()),
    }),
  ),
})

const listEdges: Lister = async (client, flags) => {
  const { items } = await client.get('/v1/edges', edges)
  show(flags.output, items, items, [
    { heading: 'FLEET', cell: (edge) => edge.fleet },
    { heading: 'EDGE', cell: (edge) => edge.edge },
    { heading: 'DATA PLANE', cell: (edge) => edge.dataPlane },
    { heading: 'RESOURCES', cell: (edge) => String(edge.resources.length) },
    { heading: 'UP', cell: (edge) => age(edge.startedAt, now()) },
    { heading: 'HEARD', cell: (edge) => age(edge.at, now()) },
  ])
}

const listers: Readonly<Record<string, Lister>> = {
  lb: listBalancers,
  pool: listPools,
  cluster: listClusters,
  tenant: listTenants,
  edge: listEdges,
}

/** Lists one kind of thing. */
export const get = async (client: ApiClient, noun: string, flags: GetFlags): Promise<void> => {
  const list = listers[noun] ?? listers[noun.replace(/s$/, '')]
  if (!list)
    throw new CommandFailed(
      'usage',
      `"${noun}" can't be listed; use one of ${Object.keys(listers).join(', ')}`,
    )
  await list(client, flags)
}
