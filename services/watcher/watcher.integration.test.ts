import { event } from '@weir/contract'
import { cleanupFinalizer, sharedFinalizer } from '@weir/kube'
import { OperatingError } from '@weir/kernel'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  createService,
  deleteService,
  eventsOf,
  findService,
  getService,
  patchService,
} from './rig/objects.ts'
import { startRig, type Rig } from './rig/rig.ts'
import { absent, allocate, program, releaseRequested, serve, typesOf } from './rig/story.ts'
import { until } from './rig/until.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(() => rig.stop())

const served = (name: string, ip: string): Promise<string> => serve(rig, name, ip)

describe('a Service that is wanted', () => {
  test('is held by both finalizers before anybody hears of it, and then shows its address', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await served('web', '198.51.100.7')
    const { metadata, status } = await getService(rig.kube, 'web')
    expect(metadata.finalizers?.toSorted()).toEqual([sharedFinalizer, cleanupFinalizer].toSorted())
    expect(status.conditions?.map(({ type, status: is }) => `${type} ${is}`)).toEqual([
      'weir.dev/Serving True',
      'weir.dev/Provisioning False',
      'weir.dev/Degraded False',
    ])
    expect(typesOf(await rig.story(uid)).filter((type) => type === 'FinalizerAdded')).toHaveLength(
      1,
    )
    await until(async () =>
      expect((await eventsOf(rig.kube)).map(({ reason }) => reason).sort()).toEqual([
        'EnsuredLoadBalancer',
        'EnsuringLoadBalancer',
        'IPAllocated',
      ]),
    )
  })

  test('is not heard of while the finalizer is refused', async () => {
    rig.faults.failNext({ method: 'PATCH', count: 3 }, { status: 500 })
    await rig.connect()
    await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await until(async () => {
      expect((await getService(rig.kube, 'web')).metadata.finalizers).toContain(cleanupFinalizer)
    })
    await until(() => expect(rig.phases(uid)).toEqual(['present']))
  })

  test('lives its whole life with no more rights than the tenant grants', async () => {
    await rig.connect({ credentials: await rig.leastPrivilege() })
    await rig.watch()
    const uid = await served('web', '198.51.100.7')
    await until(async () => expect(await eventsOf(rig.kube)).toHaveLength(3))
    await deleteService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('deleting'))
    await releaseRequested(rig, uid)
    await absent(rig, uid)
    await until(async () => expect(await findService(rig.kube, 'web')).toBeUndefined())
  })

  test('of a foreign class is left alone', async () => {
    await rig.connect()
    await rig.watch()
    const foreign = await createService(rig.kube, 'theirs', { loadBalancerClass: 'example.com/lb' })
    await served('ours', '198.51.100.8')
    expect(rig.phases(foreign)).toEqual([])
    expect((await getService(rig.kube, 'theirs')).metadata.finalizers ?? []).toEqual([])
  })

  test('gets its status back when somebody clears it, and its finalizer when somebody strips it', async () => {
    await rig.connect()
    await rig.watch()
    await served('web', '198.51.100.7')
    await patchService(rig.kube, 'web', { status: { loadBalancer: null } }, '/status')
    await patchService(rig.kube, 'web', { metadata: { finalizers: null } })
    await until(async () => {
      const { metadata, status } = await getService(rig.kube, 'web')
      expect(status.loadBalancer?.ingress).toHaveLength(1)
      expect(metadata.finalizers).toContain(cleanupFinalizer)
    })
  })

  test('gets back what was forged while nobody watched, though the first mark is lost', async () => {
    await rig.connect()
    const crash = await rig.watch()
    await served('web', '198.51.100.7')
    await crash()
    const forged = { status: { loadBalancer: { ingress: [{ ip: '203.0.113.66' }] } } }
    await patchService(rig.kube, 'web', forged, '/status')
    const mark = vi.spyOn(rig.store.work, 'mark')
    mark.mockRejectedValueOnce(new OperatingError('the log is away'))
    await rig.watch()
    await until(async () => {
      const { status } = await getService(rig.kube, 'web')
      expect(status.loadBalancer?.ingress).toEqual([{ ip: '198.51.100.7', ipMode: 'Proxy' }])
    })
  })

  test('is told why it has no address, and what to do', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('present'))
    const intentHash = 'a'.repeat(32)
    await allocate(rig, uid, '', [event('PoolMissing', { intentHash, requestedPool: null })])
    await until(async () => {
      const { metadata, status } = await getService(rig.kube, 'web')
      expect(metadata.annotations?.['weir.dev/reason']).toMatch(/^PoolMissing: no address pool/)
      expect(status.conditions).toContainEqual(
        expect.objectContaining({
          type: 'weir.dev/Degraded',
          status: 'True',
          reason: 'PoolMissing',
        }),
      )
    })
    await until(async () =>
      expect(await eventsOf(rig.kube)).toContainEqual(
        expect.objectContaining({ type: 'Warning', reason: 'AllocationFailed' }),
      ),
    )
  })
})

describe('what traffic needs', () => {
  test('is published: all nodes as one, and the ready pods of each Service in our care', async () => {
    const node = (name: string, address: string) => ({
      metadata: { name },
      status: { addresses: [{ type: 'InternalIP', address }] },
    })
    await rig.kube.call({ method: 'POST', path: '/api/v1/nodes', body: node('b', '127.0.0.3') })
    await rig.kube.call({ method: 'POST', path: '/api/v1/nodes', body: node('a', '127.0.0.2') })
    await rig.connect()
    await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await rig.kube.call({
      method: 'POST',
      path: '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
      body: {
        metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [{ port: 80 }],
        endpoints: [
          { addresses: ['10.0.0.1'], nodeName: 'a', conditions: { ready: true } },
          { addresses: ['10.0.0.2'], nodeName: 'a', conditions: { ready: true } },
          { addresses: ['10.0.0.3'], nodeName: 'b', conditions: { ready: false } },
        ],
      },
    })
    await until(() => {
      const nodes = rig.received.findLast(({ kind }) => kind === 'nodes')
      expect(nodes).toMatchObject({ nodes: [{ name: 'a' }, { name: 'b' }] })
      const endpoints = rig.received.findLast(({ kind }) => kind === 'endpoints')
      expect(endpoints).toMatchObject({ serviceUid: uid, readyByNode: { a: 2 } })
    })
  })
})

describe('a Service that goes', () => {
  test('waits for its resource to be absent, and then is cleared and let go at once', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await served('web', '198.51.100.7')
    await deleteService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('deleting'))
    await releaseRequested(rig, uid)
    expect((await getService(rig.kube, 'web')).metadata.finalizers).toContain(cleanupFinalizer)
    await absent(rig, uid)
    await until(async () => expect(await findService(rig.kube, 'web')).toBeUndefined())
    await until(async () => expect(typesOf(await rig.story(uid))).toContain('FinalizerRemoved'))
  })

  test('by another type keeps nothing of ours, though the API server cleared its status', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await served('web', '198.51.100.7')
    await patchService(rig.kube, 'web', { spec: { type: 'ClusterIP' } })
    await until(() => expect(rig.phases(uid)).toContain('unwanted'))
    await releaseRequested(rig, uid)
    await absent(rig, uid)
    await until(async () => {
      const { metadata, status } = await getService(rig.kube, 'web')
      expect(metadata.finalizers ?? []).toEqual([])
      expect(status.conditions ?? []).toEqual([])
    })
  })

  test('and is wanted again before it went keeps its finalizers, recorded as end and beginning', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await served('web', '198.51.100.7')
    await patchService(rig.kube, 'web', { spec: { type: 'ClusterIP' } })
    await until(() => expect(rig.phases(uid)).toContain('unwanted'))
    await releaseRequested(rig, uid)
    await patchService(rig.kube, 'web', { spec: { type: 'LoadBalancer' } })
    await until(() => expect(rig.phases(uid).at(-1)).toBe('present'))
    await absent(rig, uid)
    await until(async () =>
      expect(typesOf(await rig.story(uid)).slice(-2)).toEqual([
        'FinalizerRemoved',
        'FinalizerAdded',
      ]),
    )
    expect((await getService(rig.kube, 'web')).metadata.finalizers).toContain(cleanupFinalizer)
  })

  test('and is wanted again before anybody released it shows what was made meanwhile', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('present'))
    const mark = vi.spyOn(rig.store.work, 'mark')
    await patchService(rig.kube, 'web', { spec: { type: 'ClusterIP' } })
    // The sweep has been there, and does not come back soon.
    await until(() => expect(mark.mock.calls.flatMap(([, , keys]) => keys)).toContain(uid))
    await allocate(rig, uid, '198.51.100.7')
    const done = vi.spyOn(rig.store.work, 'done')
    await program(rig, uid, '198.51.100.7')
    await until(() => expect(done.mock.calls.map(([{ key }]) => key)).toContain(uid))
    await patchService(rig.kube, 'web', { spec: { type: 'LoadBalancer' } })
    await until(async () => {
      const { status } = await getService(rig.kube, 'web')
      expect(status.loadBalancer?.ingress).toEqual([{ ip: '198.51.100.7', ipMode: 'Proxy' }])
    })
  })

  test('before anything was asked for is let go once the allocator knows that it leaves', async () => {
    await rig.connect()
    await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('present'))
    await deleteService(rig.kube, 'web')
    await until(async () => expect(await findService(rig.kube, 'web')).toBeUndefined())
    expect(rig.phases(uid)).toContain('deleting')
  })

  test('by force while nobody watches is found missing', async () => {
    await rig.connect()
    const crash = await rig.watch()
    const uid = await served('web', '198.51.100.7')
    await crash()
    await patchService(rig.kube, 'web', { metadata: { finalizers: null } })
    await deleteService(rig.kube, 'web')
    await rig.watch()
    await until(() => expect(rig.phases(uid).at(-1)).toBe('gone'))
    await releaseRequested(rig, uid)
    await absent(rig, uid)
    await until(async () =>
      expect((await rig.story(uid)).at(-1)).toMatchObject({
        type: 'FinalizerRemoved',
        data: { objectGone: true },
      }),
    )
  })
})
