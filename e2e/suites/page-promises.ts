// Rows 8-10 of the page: what is left alone, what is cleaned up, and what is written.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import { expectWholeLife } from '../harness/chapters.ts'
import type { ServiceObject } from '../harness/objects.ts'
import type { Place } from '../harness/place.ts'
import { askHttp, isSilent } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'
import { nodeAddresses } from './page-walk.ts'

/** Pods and ports behind a Service, as in-cluster clients find them. */
const endpointsOf = async (place: Place, name: string): Promise<string> =>
  place.kubectl([
    'get',
    'endpointslices',
    '-l',
    `kubernetes.io/service-name=${name}`,
    '-o',
    'jsonpath={range .items[*]}{.metadata.uid} {.addressType} {.endpoints} {.ports}{end}',
  ])

const finalizers = ['service.kubernetes.io/load-balancer-cleanup', 'weir.dev/load-balancer-cleanup']

export const pagePromises = (walk: Walk): void => {
  walk(
    'page row 8: in-cluster traffic is as with ClusterIP, and weir may not change it',
    async (place) => {
      const { kubectl, platform, namespace } = place
      await place.deploy('example', 2)
      await place.expose('inside', 'example', { spec: { type: 'ClusterIP' } })
      await place.expose('both', 'example', { spec: { type: 'ClusterIP' } })
      await holds(async () => expect(await endpointsOf(place, 'both')).toContain('10.'))
      const before = (await place.service('both')) as ServiceObject
      const beside = (await place.service('inside')) as ServiceObject
      const endpoints = await endpointsOf(place, 'both')
      await kubectl(['patch', 'service', 'both', '-p', '{"spec":{"type":"LoadBalancer"}}'])
      const asked = (await place.service('both')) as ServiceObject
      await place.served('both')
      const after = (await place.service('both')) as ServiceObject
      expect(after.spec).toEqual(asked.spec)
      expect(after.spec.clusterIP).toBe(before.spec.clusterIP)
      expect(after.spec.selector).toEqual(before.spec.selector)
      expect(await endpointsOf(place, 'both')).toBe(endpoints)
      expect(await place.service('inside')).toEqual(beside)
      const may = async (verb: string, what: string): Promise<string> => {
        const as = '--as=system:serviceaccount:kube-system:weir'
        return kubectl(`auth can-i ${verb} ${what} ${as}`).catch(String)
      }
      expect(await may('patch', 'services --subresource=status')).toBe('yes\n')
      for (const [verb, what] of [
        ['patch', 'endpointslices'],
        ['delete', 'services'],
        ['create', 'pods'],
        ['get', 'secrets'],
      ] as const) {
        expect(await may(verb, what), `${verb} ${what}`).not.toBe('yes\n')
      }
      const unknown = await platform.weir(`explain service ${namespace}/inside`)
      expect(unknown.code).toBe(3)
    },
  )

  walk(
    'page row 9: the finalizers keep the Service until its load balancer is gone',
    async (place) => {
      const { parts } = place.platform
      await place.deploy('example', 1)
      await place.expose('example-service', 'example')
      const door = await place.served('example-service')
      const made = (await place.service('example-service')) as ServiceObject
      expect(made.metadata.finalizers).toEqual(finalizers)
      const before = parts.running('provisioner')
      parts.signal('provisioner', 'SIGSTOP')
      try {
        await place.remove('example-service')
        await holds(async () => {
          const types = (await place.story('example-service')).map(({ type }) => type)
          expect(types).toContain('ReleaseRequested')
        })
        // Nobody removes the load balancer now, so the object waits for it.
        const waiting = (await place.service('example-service')) as ServiceObject
        expect(waiting.metadata.deletionTimestamp).toBeDefined()
        expect(waiting.metadata.finalizers).toEqual(finalizers)
        expect(await askHttp(door)).toContain('pod=example-')
      } finally {
        await parts.crash('provisioner')
      }
      await parts.returned('provisioner', before)
      await place.gone('example-service')
      expect(await isSilent(door)).toBe(true)
      expectWholeLife(await place.released('example-service'))
      expect(await place.platform.weirJson('gc report')).toMatchObject({ findings: [] })
    },
  )

  walk(
    'page row 9: a Service deleted while the watcher is dead is cleaned up too',
    async (place) => {
      const { parts } = place.platform
      await place.deploy('example', 1)
      await place.expose('example-service', 'example')
      const door = await place.served('example-service')
      const before = parts.running('watcher')
      await parts.crash('watcher')
      await place.remove('example-service')
      const waiting = (await place.service('example-service')) as ServiceObject
      expect(waiting.metadata.finalizers).toEqual(finalizers)
      await parts.returned('watcher', before)
      await place.gone('example-service')
      expect(await isSilent(door)).toBe(true)
      expectWholeLife(await place.released('example-service'))
    },
  )

  walk(
    'page row 10: the load balancer is outside the cluster and its IP is written into the Service',
    async (place) => {
      const { platform, kubectl } = place
      await place.deploy('example', 1)
      await place.expose('example-service', 'example')
      const door = await place.served('example-service')
      const { metadata } = (await place.service('example-service')) as ServiceObject
      const ingress = await kubectl(
        'get service example-service -o jsonpath={.status.loadBalancer.ingress}',
      )
      expect(JSON.parse(ingress)).toEqual([{ ip: door.address, ipMode: 'Proxy' }])
      expect(await nodeAddresses(place)).not.toContain(door.address)
      const edges = (await platform.weirJson('get edge')) as {
        edge: string
        resources: unknown[]
      }[]
      expect(edges.map(({ edge }) => edge)).toEqual(['edge-1'])
      await holds(async () => {
        const held = JSON.stringify(await platform.ask('GET', '/v1/edges'))
        expect(held).toContain(metadata.uid)
      })
      // No pod of ours runs in the tenant's cluster: everything it has is its own.
      const images = await platform.kubectl(
        'get pods -A -o jsonpath={.items[*].spec.containers[*].image}',
      )
      expect(new Set(images.split(' '))).toEqual(new Set(['example']))
      await place.patch('example-service', { spec: { loadBalancerSourceRanges: ['127.0.0.8/32'] } })
      await eventually(() => isSilent({ ...door, from: '127.0.0.7' }), { deadlineMs: 20_000 })
      expect(await askHttp({ ...door, from: '127.0.0.8' })).toContain('pod=example-')
    },
  )
}
