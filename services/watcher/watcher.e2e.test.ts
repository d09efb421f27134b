import { cleanupFinalizer, sharedFinalizer } from '@weir/kube'
import { obtainKubernetesBinaries, startKubernetesMinicluster } from '@weir/minicluster'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createService,
  deleteService,
  eventsOf,
  findService,
  getService,
  patchService,
} from './rig/objects.ts'
import { startRig, type Rig } from './rig/rig.ts'
import { absent, allocate, program, releaseRequested, typesOf } from './rig/story.ts'
import { until } from './rig/until.ts'

let rig: Rig
beforeAll(async () => {
  const binaries = await obtainKubernetesBinaries({ env: process.env })
  rig = await startRig((options) =>
    startKubernetesMinicluster({ ...options, binaries, unsafeNoFsync: true }),
  )
  await rig.connect()
  await rig.watch()
})
afterAll(() => rig.stop())

const ip = '198.51.100.7'

test('on the real API server a Service is held, shown, changed back and forth, and let go', async () => {
  const uid = await createService(rig.kube, 'web')
  await until(() => expect(rig.phases(uid)).toContain('present'))
  await allocate(rig, uid, ip)
  await program(rig, uid, ip)
  await until(async () => {
    const { metadata, status } = await getService(rig.kube, 'web')
    expect(metadata.finalizers?.toSorted()).toEqual([sharedFinalizer, cleanupFinalizer].toSorted())
    expect(status.loadBalancer?.ingress).toEqual([{ ip, ipMode: 'Proxy' }])
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'weir.dev/Serving', status: 'True' }),
    )
  })
  await until(async () => {
    const reasons = (await eventsOf(rig.kube)).map(({ reason }) => reason)
    expect(reasons).toEqual(expect.arrayContaining(['IPAllocated', 'EnsuredLoadBalancer']))
  })

  await patchService(rig.kube, 'web', { spec: { type: 'ClusterIP' } })
  await until(() => expect(rig.phases(uid).at(-1)).toBe('unwanted'))
  await releaseRequested(rig, uid)
  await patchService(rig.kube, 'web', { spec: { type: 'LoadBalancer' } })
  await until(() => expect(rig.phases(uid).at(-1)).toBe('present'))
  await absent(rig, uid)
  await until(async () =>
    expect(typesOf(await rig.story(uid)).slice(-2)).toEqual(['FinalizerRemoved', 'FinalizerAdded']),
  )
  expect((await getService(rig.kube, 'web')).metadata.finalizers).toContain(cleanupFinalizer)
})

test('on the real API server a Service that is deleted waits for its resource to be absent', async () => {
  const uid = await createService(rig.kube, 'mail')
  await until(() => expect(rig.phases(uid)).toContain('present'))
  await allocate(rig, uid, ip)
  await program(rig, uid, ip)
  await until(async () => expect(typesOf(await rig.story(uid))).toContain('StatusPublished'))
  await deleteService(rig.kube, 'mail')
  await until(() => expect(rig.phases(uid)).toContain('deleting'))
  await releaseRequested(rig, uid)
  expect((await getService(rig.kube, 'mail')).metadata.finalizers).toContain(cleanupFinalizer)
  await absent(rig, uid)
  await until(async () => expect(await findService(rig.kube, 'mail')).toBeUndefined())
  await until(async () => expect(typesOf(await rig.story(uid))).toContain('FinalizerRemoved'))
})
