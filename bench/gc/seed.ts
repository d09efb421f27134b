import {
  clusterId,
  event,
  intentHash,
  loadBalancerIntent,
  streamOf,
  type DomainEvent,
} from '@weir/contract'
import type { Store } from '@weir/eventlog'
import { resourceAt, synthetic } from './provider.ts'

const intent = loadBalancerIntent.parse({
  ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  externalTrafficPolicy: 'Cluster',
  healthCheckNodePort: null,
  sourceRanges: [],
  sessionAffinity: { kind: 'None' },
  ipFamilies: ['IPv4'],
  requestedAddress: null,
  requestedPool: null,
  proxyProtocol: 'none',
  invalid: [],
})
const atOnce = 512

/** Tells the story of each resource; the first `orphans` were released, and nobody deleted them. */
export const seed = async (store: Store, count: number, orphans: number): Promise<void> => {
  for (let from = 0; from < count; from += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - from) }, (_, at) => from + at)
    await Promise.all(some.map((index) => tellOne(store, index, index < orphans)))
  }
}

const tellOne = async (store: Store, index: number, released: boolean): Promise<void> => {
  const desired = resourceAt(index)
  const { tenant, cluster, service, key, epoch } = desired.marks
  const lb = (said: DomainEvent) => ({ stream: streamOf('lb', service), said })
  const resource = (said: DomainEvent) => ({ stream: streamOf('resource', key), said })
  const wish = { intent, intentHash: intentHash(intent), driver: synthetic }
  const home = { cluster: clusterId.parse(cluster), serviceUid: service, namespace: 'default' }
  const told = [
    lb(event('LoadBalancerRequested', { ...home, ...wish, name: `web-${index}` })),
    lb(
      event('FrontendsAllocated', {
        leases: [],
        frontends: [],
        choice: 'provider',
        considered: [],
      }),
    ),
    resource(
      event('ResourceIntended', {
        key,
        epoch,
        generation: 1,
        driver: synthetic,
        externalName: `${key}-1`,
        desired,
      }),
    ),
    resource(
      event('ResourceProgrammed', {
        key,
        epoch,
        generation: 1,
        ingress: [{ hostname: `lb-${index}.example` }],
        confirmedBy: [synthetic],
      }),
    ),
    ...(released ? [lb(event('ReleaseRequested', { reason: 'service-deleted' }))] : []),
  ]
  await store.log.append({
    tenant,
    commandId: `seed/${service}`,
    events: told.map(({ stream, said }) => ({ stream, expectedVersion: 0, event: said })),
    actor: 'bench',
    correlationId: service,
    causationId: 'bench',
  })
}
