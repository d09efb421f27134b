import type { CloudShape } from '../cloud/cloud.ts'
import { faultKinds, noChances, type Chances, type FaultKind } from '../faults.ts'
import type { Pace, ServiceName } from '../hosts/machine.ts'
import type { Random } from '../scheduler/random.ts'
import { workloadKinds, type WorkloadKind } from '../workload/kinds.ts'

/** What one schedule is about; all of it is drawn from the seed. */
export interface Topology {
  readonly tenants: number
  readonly clustersPerTenant: number
  readonly instances: Readonly<Record<ServiceName, number>>
  readonly drivers: readonly CloudShape[]
  /** Of every cluster, at first. */
  readonly defaultDriver: string
  /** Addresses in the pool. */
  readonly addresses: number
  readonly quarantineSeconds: number
  readonly pace: Pace
  readonly chances: Chances
  /** How many things users do, how far apart, and of which kinds. */
  readonly acts: number
  readonly actEveryMs: number
  readonly mix: Readonly<Record<WorkloadKind, number>>
}

export const calmPace: Pace = {
  passMs: 2000,
  relayPollMs: 5000,
  relayLeaseMs: 40_000,
  lookEveryMs: 20_000,
  clusterLeaseMs: 20_000,
  publishAgainMs: 60_000,
  gcIntervalMs: 20_000,
  gcGraceMs: 30_000,
}

/** Highest chance of each kind: per call, per message, or per process and second. */
const most: Chances = {
  crash: 0.05,
  'pause past a lease': 0.02,
  'clock jump': 0.02,
  'lost reply': 0.05,
  delay: 0.2,
  'log error': 0.05,
  duplicate: 0.2,
  reorder: 0.3,
  'missed event': 0.3,
  'poison message': 0.05,
  'bus wipe': 0.01,
  'bus away': 0.01,
  'watch cut': 0.05,
  'api 410': 0.2,
  'api conflict': 0.1,
  'api error': 0.1,
  'stale read': 0.2,
  'provider error': 0.1,
  'provider throttle': 0.2,
  'provider eventual consistency': 0.3,
  'premature 404': 0.2,
}

export const drawTopology = (random: Random): Topology => {
  const one = (): number => 1 + random.int(2)
  const tenants = one()
  return {
    tenants,
    clustersPerTenant: random.chance(0.3) ? 2 : 1,
    instances: { watcher: one(), allocator: one(), provisioner: one(), gc: one() },
    drivers: [
      { name: 'edge', kind: 'fleet', worksMs: random.pick([0, 500, 3000]), staleMs: 0 },
      {
        name: 'cloud',
        kind: 'cloud',
        worksMs: random.chance(0.3) ? 0 : random.int(20_000),
        staleMs: random.chance(0.5) ? 0 : random.int(8000),
      },
    ],
    defaultDriver: random.chance(0.6) ? 'edge' : 'cloud',
    addresses: random.pick([1, 2, 4, 8]),
    quarantineSeconds: random.pick([0, 20, 60]),
    pace: drawPace(random),
    chances: drawChances(random),
    acts: 8 + random.int(30),
    actEveryMs: 500 + random.int(8000),
    mix: Object.fromEntries(
      workloadKinds.map((kind) => [kind, random.chance(0.4) ? 0 : random.next()]),
    ) as Record<WorkloadKind, number>,
  }
}

const drawPace = (random: Random): Pace => ({
  ...calmPace,
  passMs: random.pick([1000, 3000, 5000]),
  relayLeaseMs: random.pick([20_000, 120_000]),
  lookEveryMs: random.pick([10_000, 30_000]),
  clusterLeaseMs: random.pick([6000, 20_000]),
  gcIntervalMs: random.pick([15_000, 30_000]),
})

/** Many are nothing: bugs that need quiet around them would drown in noise otherwise. */
const drawChances = (random: Random): Chances => {
  const calm = random.chance(0.1)
  const draw = (kind: FaultKind): number =>
    calm || random.chance(0.5) ? 0 : most[kind] * random.next() ** 2
  return {
    ...noChances,
    ...Object.fromEntries(faultKinds.map((kind) => [kind, draw(kind)])),
  }
}
