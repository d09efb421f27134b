// What tenants' users and operators do, drawn from the mix of the seed. Each act is one write on an API
// server or one on the platform's API; what follows from it is the platform's business.
import { driverName } from '@weir/contract'
import type { WishedSpec } from '../kube/cluster.ts'
import { sharingAnnotation } from '../truth/services.ts'
import { poolOf, type TenantCluster, type World } from '../world/world.ts'
import { workloadKinds, type WorkloadKind } from './kinds.ts'

const names = ['a', 'b', 'c', 'd'] as const

export type ActCounts = Record<WorkloadKind, number>

/** Lets users act, one act after the other, until as many were done as the topology says. */
export const letUsersAct = (world: World): ActCounts => {
  const { scheduler, topology } = world
  const random = world.random.fork('users')
  const counts = Object.fromEntries(workloadKinds.map((kind) => [kind, 0])) as ActCounts
  const wheel = workloadKinds.flatMap((kind) => {
    const weight = Math.ceil(topology.mix[kind] * weights[kind])
    return Array.from({ length: weight }, () => kind)
  })
  let left = topology.acts
  const act = (): void => {
    const kind = wheel.length === 0 ? 'create' : random.pick(wheel)
    const at = random.pick(world.clusters)
    if (acts[kind]({ world, at, name: random.pick(names), random })) counts[kind] += 1
    left -= 1
    if (left > 0) next()
  }
  const next = (): void => {
    const ms = Math.floor(random.next() * 2 * topology.actEveryMs)
    scheduler.add({ label: 'a user acts', due: scheduler.now() + ms, run: act })
  }
  for (const name of names.slice(0, 2)) create(world, world.clusters[0], { name })
  counts.create += 2
  next()
  return counts
}

const weights: Readonly<Record<WorkloadKind, number>> = {
  create: 10,
  'edit ports': 4,
  'edit ranges': 4,
  'edit affinity': 2,
  'edit address': 3,
  'policy flip': 3,
  'type flip': 6,
  delete: 6,
  'delete and recreate': 4,
  'namespace delete': 1,
  'node churn': 4,
  'pod churn': 3,
  'share address': 8,
  'pool exhaustion': 2,
  'cluster deregister': 1,
  'driver move': 2,
  'forge status': 2,
  'strip finalizers': 1,
  leftover: 2,
}

interface Act {
  readonly world: World
  readonly at: TenantCluster
  readonly name: string
  readonly random: World['random']
}

const plain: WishedSpec = {
  type: 'LoadBalancer',
  ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
  externalTrafficPolicy: 'Cluster',
}

const sharedPorts = [80, 443, 8080, 8443] as const
const onePort = (port: number) => [{ name: 'http', protocol: 'TCP', port }]

const create = (
  _world: World,
  at: TenantCluster | undefined,
  { name, ...more }: Partial<WishedSpec> & { readonly name: string },
): boolean => {
  if (at === undefined || has(at, name)) return false
  at.kube.createService(name, { ...plain, ...more })
  at.kube.putPods(name, ['n1'])
  return true
}

const has = ({ kube }: TenantCluster, name: string): boolean =>
  kube.store.get('services', `default/${name}`) !== undefined

const change =
  (of: (spec: WishedSpec, act: Act) => Partial<WishedSpec>) =>
  (act: Act): boolean => {
    if (!has(act.at, act.name)) return false
    act.at.kube.changeService(act.name, (spec) => ({ ...spec, ...of(spec, act) }))
    return true
  }

const flip = change(({ type }) => ({
  type: type === 'LoadBalancer' ? 'ClusterIP' : 'LoadBalancer',
}))

const acts: Readonly<Record<WorkloadKind, (act: Act) => boolean>> = {
  create: ({ world, at, name, random }) => {
    const named = random.chance(0.15) ? { loadBalancerClass: 'weir.dev/cloud' } : {}
    // Some tenants share nearly everything.
    const shares = random.chance(world.topology.mix['share address'] > 0.3 ? 0.8 : 0.1)
    const ports = shares ? { ports: onePort(random.pick(sharedPorts)) } : {}
    if (!create(world, at, { name, ...named, ...ports })) return false
    if (shares) at.kube.annotate(name, { [sharingAnnotation]: 'k' })
    return true
  },
  'edit ports': change((_spec, { random }) => ({
    ports: [
      { name: 'http', protocol: 'TCP', port: random.pick([80, 443]) },
      ...(random.chance(0.5) ? [{ name: 'dns', protocol: 'UDP', port: 53 }] : []),
    ],
  })),
  'edit ranges': change((_spec, { random }) => ({
    loadBalancerSourceRanges: random.pick([[], ['10.0.0.0/8'], ['192.0.2.0/24', '10.0.0.0/8']]),
  })),
  'edit affinity': change((_spec, { random }) => ({
    sessionAffinity: random.pick(['None', 'ClientIP']),
  })),
  'edit address': change((_spec, { random, world }) => ({
    loadBalancerIP: random.pick(['', `198.51.100.${1 + random.int(world.topology.addresses)}`]),
  })),
  'policy flip': change(({ externalTrafficPolicy }) => ({
    externalTrafficPolicy: externalTrafficPolicy === 'Local' ? 'Cluster' : 'Local',
  })),
  'type flip': (act) => {
    const { world, random } = act
    const flipped = flip(act)
    // Whoever made a mistake takes it back soon.
    const due = world.scheduler.now() + 50 + random.int(4000)
    if (flipped && random.chance(0.6)) {
      world.scheduler.add({ label: 'a user takes it back', due, run: () => void flip(act) })
    }
    return flipped
  },
  delete: ({ at, name }) => {
    if (!has(at, name)) return false
    at.kube.deleteService(name)
    return true
  },
  'delete and recreate': ({ world, at, name }) => {
    if (!has(at, name)) return false
    at.kube.deleteService(name)
    recreate(world, at, name)
    return true
  },
  'namespace delete': ({ at }) => {
    for (const name of names) if (has(at, name)) at.kube.deleteService(name)
    return true
  },
  'node churn': ({ at, random }) => {
    const number = 1 + random.int(5)
    const node = `n${number}`
    const excluded = random.chance(0.3)
    if (random.chance(0.3) && number > 1) at.kube.removeNode(node)
    else at.kube.putNode(node, `10.1.0.${number + 10 * random.int(2)}`, { excluded })
    return true
  },
  'pod churn': ({ at, name, random }) => {
    if (!has(at, name)) return false
    at.kube.putPods(name, ['n1', 'n2', 'n3'].slice(0, random.int(4)))
    return true
  },
  'share address': ({ at, name, random }) => {
    if (!has(at, name)) return false
    const ports = onePort(random.pick(sharedPorts))
    at.kube.changeService(name, (spec) => ({ ...spec, ports }))
    const key = random.pick(['k', 'k', 'l', ''])
    at.kube.annotate(name, { [sharingAnnotation]: key === '' ? undefined : key })
    return true
  },
  'pool exhaustion': ({ world, random }) => {
    const change = world.operator.changePool(poolOf(world.topology, random.int(3)))
    void change
    return true
  },
  'cluster deregister': ({ world, at }) => {
    if (!at.served || world.clusters.length < 2) return false
    Object.assign(at, { served: false })
    void world.operator.deregister(at.tenant, at.cluster.id)
    return true
  },
  'driver move': ({ world, at }) => {
    const other = world.clouds.find(({ name }) => name !== String(at.cluster.driver))
    if (other === undefined || !at.served) return false
    const cluster = { ...at.cluster, driver: driverName.parse(other.name) }
    Object.assign(at, { cluster })
    void world.operator.changeCluster(at.tenant, cluster)
    return true
  },
  'forge status': ({ at, name }) => {
    const service = at.kube.store.get('services', `default/${name}`)
    if (service === undefined || service.spec.type !== 'LoadBalancer') return false
    const forged = { loadBalancer: { ingress: [{ ip: '203.0.113.66', ipMode: 'VIP' }] } }
    at.kube.store.put('services', { ...service, status: { ...service.status, ...forged } })
    return true
  },
  leftover: ({ world, random }) => {
    // A provider that was restored from a copy has again what was gone.
    const [cloud] = world.clouds.filter(({ kind }) => kind === 'cloud')
    const graves = cloud?.buried() ?? []
    if (cloud === undefined || graves.length === 0) return false
    cloud.haunt(random.pick(graves))
    return true
  },
  'strip finalizers': ({ at, name }) => {
    if (!has(at, name)) return false
    at.kube.stripFinalizers(name)
    return true
  },
}

/** A namesake comes as soon as the name is free, which is when the finalizers are gone. */
const recreate = (world: World, at: TenantCluster, name: string): void => {
  const tryAgain = (): void => {
    if (create(world, at, { name })) return
    if (world.faults.healed()) return
    world.scheduler.add({
      label: `the user waits for ${name} to go`,
      due: world.scheduler.now() + 500,
      run: tryAgain,
    })
  }
  tryAgain()
}
