// What the other services would record, appended to their streams.
import {
  desiredResource,
  event,
  resourceKeyOf,
  serviceUid,
  streamOf,
  type DomainEvent,
  type Ingress,
  type RecordedEvent,
} from '@weir/contract'
import { expect } from 'vitest'
import { createService, getService } from './objects.ts'
import { acme, append, edge, type Rig } from './rig.ts'
import { until } from './until.ts'

/** What the allocator would record once it heard of a Service. */
export const allocate = async (
  rig: Rig,
  uid: string,
  ip: string,
  more: readonly DomainEvent[] = [],
) => {
  const seen = rig.last(uid)
  if (seen === undefined) throw new Error('not seen')
  const { cluster, namespace, name, intent } = seen
  const hash = 'a'.repeat(32)
  await append(rig.store, streamOf('lb', uid), uid, [
    event('LoadBalancerRequested', {
      cluster,
      serviceUid: serviceUid.parse(uid),
      namespace,
      name,
      driver: edge,
      intent,
      intentHash: hash,
    }),
    ...(more.length > 0
      ? more
      : [
          event('FrontendsAllocated', {
            leases: [{ ip, pool: 'public' }],
            frontends: [{ ip, protocol: 'TCP', port: 80 }],
            choice: 'never-used',
            considered: [],
          } as never),
        ]),
  ])
}

/** What the provisioner would record once the provider was read back. */
export const program = (
  rig: Rig,
  uid: string,
  ip: string,
  { epoch = 1, ingress = [{ ip: ip as never, ipMode: 'Proxy' }] }: Programming = {},
): Promise<void> => {
  const key = resourceKeyOf(edge, serviceUid.parse(uid))
  return append(rig.store, streamOf('resource', key), uid, [
    event('ResourceIntended', {
      key,
      epoch,
      generation: 1,
      driver: edge,
      externalName: key,
      desired: desiredOf(rig, uid, ip, epoch),
    }),
    event('ResourceProgrammed', {
      key,
      epoch,
      generation: 1,
      ingress: [...ingress],
      confirmedBy: ['edge-1'],
    }),
  ])
}

interface Programming {
  readonly epoch?: number
  readonly ingress?: readonly Ingress[]
}

const desiredOf = (rig: Rig, uid: string, ip: string, epoch: number) =>
  desiredResource.parse({
    marks: {
      installation: 'local',
      tenant: acme,
      cluster: rig.cluster,
      service: uid,
      key: resourceKeyOf(edge, serviceUid.parse(uid)),
      epoch,
    },
    driver: edge,
    generation: 1,
    frontends: [{ ip, protocol: 'TCP', port: 80, nodePort: 30_080 }],
    targets: [{ node: 'n', ip: '127.0.0.2', weight: 1 }],
    policy: 'Cluster',
    health: { port: 10_256, path: '/healthz', weightFromHeader: false },
    sourceRanges: [],
    affinity: { kind: 'None' },
    proxyProtocol: 'none',
  })

export const releaseRequested = (rig: Rig, uid: string): Promise<void> =>
  append(rig.store, streamOf('lb', uid), uid, [
    event('ReleaseRequested', { reason: 'service-deleted' }),
  ])

export const absent = (rig: Rig, uid: string, epoch = 1): Promise<void> => {
  const key = resourceKeyOf(edge, serviceUid.parse(uid))
  return append(rig.store, streamOf('resource', key), uid, [
    event('ResourceAbsent', { key, epoch, confirmedBy: ['edge-1'] }),
  ])
}

export const typesOf = (story: readonly RecordedEvent[]): string[] => story.map(({ type }) => type)

/** Brings a new Service to its address. */
export const serve = async (rig: Rig, name: string, ip: string): Promise<string> => {
  const uid = await createService(rig.kube, name)
  await until(() => expect(rig.phases(uid)).toContain('present'))
  await allocate(rig, uid, ip)
  await program(rig, uid, ip)
  await until(async () => {
    const { status } = await getService(rig.kube, name)
    expect(status.loadBalancer?.ingress).toEqual([{ ip, ipMode: 'Proxy' }])
    expect(typesOf(await rig.story(uid))).toContain('StatusPublished')
  })
  return uid
}
