import { event, serviceUid, streamOf, tenantId } from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { cleanupFinalizer, withLoopback } from '@weir/kube'
import { createTrace } from '@weir/runtime'
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createDesks } from './desk.ts'
import { createReconcile } from './reconcile.ts'
import { createRegistry } from './registry.ts'
import { createService, deleteService, getService, patchService } from './rig/objects.ts'
import { append, acme, startRig, type Rig } from './rig/rig.ts'
import { allocate, typesOf } from './rig/story.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(() => rig.stop())

test("is read with nobody else's credentials, though another tenant names the same cluster", async () => {
  await rig.connect()
  const ports = { clock: systemClock, logger: silentLogger, policy: withLoopback, concurrency: 1 }
  const open = async (_at: unknown, sealed: Uint8Array) => new TextDecoder().decode(sealed)
  const desks = createDesks({ ...ports, registry: createRegistry({ store: rig.store, open }) })
  expect(await desks.at(acme, rig.cluster)).toBeDefined()
  expect(await desks.at(tenantId.parse('evil'), rig.cluster)).toBeUndefined()
  await desks.closeAll()
})

test('a cluster that leaves keeps no finalizer of ours, also where nothing was ever made', async () => {
  await rig.connect()
  await rig.watch()
  const uid = await createService(rig.kube, 'web')
  await eventually(() => rig.phases(uid).includes('present'))
  const left = event('ClusterDeregistered', { id: rig.cluster })
  await append(rig.store, streamOf('cluster', rig.cluster), rig.cluster, [left])
  await eventually(async () => {
    const { metadata } = await getService(rig.kube, 'web')
    return (metadata.finalizers ?? []).length === 0
  })
})

test('also when a process that had not heard of its end put them on once more', async () => {
  await rig.connect()
  await rig.watch()
  const uid = await createService(rig.kube, 'web')
  await eventually(() => rig.phases(uid).includes('present'))
  const left = event('ClusterDeregistered', { id: rig.cluster })
  await append(rig.store, streamOf('cluster', rig.cluster), rig.cluster, [left])
  const free = async () =>
    ((await getService(rig.kube, 'web')).metadata.finalizers ?? []).length === 0
  await eventually(free)
  await patchService(rig.kube, 'web', { metadata: { finalizers: [cleanupFinalizer] } })
  await eventually(free)
})

test('also when nobody but the cluster knows of them, as what was told of them was lost', async () => {
  await rig.connect()
  await createService(rig.kube, 'web')
  await patchService(rig.kube, 'web', { metadata: { finalizers: [cleanupFinalizer] } })
  const left = event('ClusterDeregistered', { id: rig.cluster })
  await append(rig.store, streamOf('cluster', rig.cluster), rig.cluster, [left])
  await rig.watch()
  await eventually(
    async () => ((await getService(rig.kube, 'web')).metadata.finalizers ?? []).length === 0,
  )
  expect(rig.received).toEqual([])
})

test('a life that begins while its Service is let go keeps the finalizers', async () => {
  await rig.connect()
  await rig.watch()
  const uid = await createService(rig.kube, 'web')
  await eventually(() => rig.phases(uid).includes('present'))
  const done = vi.spyOn(rig.store.work, 'done')
  let settledBefore: number | undefined
  const asked = rig.store.observed.get.bind(rig.store.observed)
  vi.spyOn(rig.store.observed, 'get').mockImplementation(async (at) => {
    const kept = await asked(at)
    if (kept?.kind === 'service' && kept.phase === 'deleting' && settledBefore === undefined) {
      settledBefore = done.mock.calls.length
      await allocate(rig, uid, '198.51.100.7')
    }
    return kept
  })
  await deleteService(rig.kube, 'web')
  const settled = () => done.mock.calls.slice(settledBefore).map(([item]) => item.key)
  await eventually(() => settledBefore !== undefined && settled().includes(uid))
  expect((await getService(rig.kube, 'web')).metadata.finalizers).toContain(cleanupFinalizer)
})

test('a finalizer of a Service that went unseen is recorded as off when somebody asks, long after', async () => {
  await rig.connect()
  const uid = serviceUid.parse(await createService(rig.kube, 'web'))
  await append(rig.store, streamOf('status', uid), uid, [
    event('FinalizerAdded', { resourceVersion: '1' }),
  ])
  const gone = {
    kind: 'service',
    tenant: acme,
    cluster: rig.cluster,
    watcherEpoch: 1,
    order: 1,
    seenAt: '2026-01-01T00:00:00Z',
    serviceUid: uid,
    namespace: 'default',
    name: 'web',
    phase: 'gone',
    intent: {},
  } as never
  await rig.store.observed.store('allocator', [{ seen: gone, keys: [] }])
  const { store } = rig
  const policy = { logger: silentLogger, policy: withLoopback, concurrency: 1 }
  const open = async (_at: unknown, sealed: Uint8Array) => new TextDecoder().decode(sealed)
  const registry = createRegistry({ store, open })
  const desks = createDesks({ ...policy, clock: systemClock, registry })
  const trace = await createTrace({
    service: 'watcher',
    version: '0',
    ids: systemIds,
    endpoint: undefined,
  })
  const look = (laterMs: number) => {
    const clock = { ...systemClock, now: () => systemClock.now() + laterMs }
    const metrics = { stage: () => undefined }
    const ports = { store, desks, registry, clock, logger: silentLogger, trace, metrics }
    return createReconcile(ports)({ tenant: acme, key: uid, attempts: 0 })
  }
  await look(700_000)
  expect(typesOf(await rig.story(uid)), 'the Service is there').toEqual(['FinalizerAdded'])
  await deleteService(rig.kube, 'web')
  await look(1000)
  expect(typesOf(await rig.story(uid)), 'a read may be old').toEqual(['FinalizerAdded'])
  await look(700_000)
  expect((await rig.story(uid)).at(-1)).toMatchObject({
    type: 'FinalizerRemoved',
    data: { objectGone: true },
  })
  await desks.closeAll()
})
