import { OperatingError } from '@weir/kernel'
import { cleanupFinalizer, sharedFinalizer } from '@weir/kube'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createService, getService, patchService } from './rig/objects.ts'
import { startRig, type Rig } from './rig/rig.ts'
import { allocate, program, typesOf } from './rig/story.ts'
import { until } from './rig/until.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(() => rig.stop())

describe('a crash', () => {
  test('between the status and its record is made up for', async () => {
    await rig.connect()
    const crash = await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('present'))
    await allocate(rig, uid, '198.51.100.7')
    await crash()
    const ingress = [{ ip: '198.51.100.7', ipMode: 'Proxy' }]
    await patchService(rig.kube, 'web', { status: { loadBalancer: { ingress } } }, '/status')
    await program(rig, uid, '198.51.100.7')
    await rig.watch()
    await until(async () => expect(typesOf(await rig.story(uid))).toContain('StatusPublished'))
  })

  test('after the finalizer and before its record is made up for', async () => {
    await rig.connect()
    const uid = await createService(rig.kube, 'web')
    const finalizers = [cleanupFinalizer, sharedFinalizer]
    await patchService(rig.kube, 'web', { metadata: { finalizers } })
    await rig.watch()
    await until(() => expect(rig.phases(uid)).toContain('present'))
    await until(async () => expect(typesOf(await rig.story(uid))).toContain('FinalizerAdded'))
  })

  test('of the finalizer, when the log was away, is made up for without a restart', async () => {
    const append = vi.spyOn(rig.store.log, 'append')
    await rig.connect()
    await rig.watch()
    append.mockRejectedValueOnce(new OperatingError('the log is away'))
    const uid = await createService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('present'))
    await expect(append.mock.results.at(-1)?.value).rejects.toThrow('the log is away')
    await until(async () => expect(typesOf(await rig.story(uid))).toContain('FinalizerAdded'))
  })

  test.for([
    ['while nobody watches', true],
    ['once another process watches', false],
  ] as const)('leaves no forged status, forged %s', async ([, early]) => {
    await rig.connect()
    const crash = await rig.watch()
    const uid = await createService(rig.kube, 'web')
    await until(() => expect(rig.phases(uid)).toContain('present'))
    await allocate(rig, uid, '198.51.100.7')
    await program(rig, uid, '198.51.100.7')
    const ingress = [{ ip: '198.51.100.7', ipMode: 'Proxy' }]
    const shows = async (expected: unknown) =>
      expect((await getService(rig.kube, 'web')).status.loadBalancer?.ingress).toEqual(expected)
    await until(() => shows(ingress))
    await crash()
    const seen = rig.phases(uid).length
    const forged = { status: { loadBalancer: { ingress: [{ ip: '203.0.113.66' }] } } }
    if (early) await patchService(rig.kube, 'web', forged, '/status')
    await rig.watch()
    await until(() => expect(rig.phases(uid).length).toBeGreaterThan(seen))
    if (!early) await patchService(rig.kube, 'web', forged, '/status')
    await until(() => shows(ingress))
  })
})
