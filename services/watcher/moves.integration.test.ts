import { driverName, event, streamOf } from '@weir/contract'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createService, getService, patchService } from './rig/objects.ts'
import { append, startRig, type Rig } from './rig/rig.ts'
import { allocate, program, typesOf } from './rig/story.ts'
import { until } from './rig/until.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(() => rig.stop())

test('a Service that moves to another driver shows its address until it shows the new name', async () => {
  await rig.connect()
  await rig.watch()
  const uid = await createService(rig.kube, 'web')
  await until(() => expect(rig.phases(uid)).toContain('present'))
  await allocate(rig, uid, '198.51.100.7')
  await program(rig, uid, '198.51.100.7')
  await until(async () => expect(typesOf(await rig.story(uid))).toContain('StatusPublished'))
  const edge = driverName.parse('edge')
  const moved = { from: edge, to: driverName.parse('aws'), cause: 'cluster-default' } as const
  await append(rig.store, streamOf('lb', uid), uid, [event('DriverChanged', moved)])
  await until(async () => {
    const { metadata, status } = await getService(rig.kube, 'web')
    expect(metadata.annotations?.['weir.dev/reason']).toMatch(/^DriverChanging: the driver aws/)
    expect(status.loadBalancer?.ingress).toEqual([{ ip: '198.51.100.7', ipMode: 'Proxy' }])
  })
  const ingress = [{ hostname: 'weir-1.elb.example.com' }]
  await program(rig, uid, '198.51.100.7', { epoch: 2, ingress })
  await until(async () => {
    const { metadata, status } = await getService(rig.kube, 'web')
    expect(status.loadBalancer?.ingress).toEqual(ingress)
    expect(metadata.annotations?.['weir.dev/reason']).toMatch(/^Programmed/)
    expect(await rig.story(uid)).toContainEqual(
      expect.objectContaining({
        type: 'StatusPublished',
        data: { ingress, epoch: 2, generation: 1 },
      }),
    )
  })
  const writes = (await rig.story(uid)).length
  await patchService(rig.kube, 'web', { metadata: { labels: { touched: 'yes' } } })
  await patchService(rig.kube, 'web', { status: { loadBalancer: null } }, '/status')
  await until(async () =>
    expect((await getService(rig.kube, 'web')).status.loadBalancer?.ingress).toEqual(ingress),
  )
  expect(await rig.story(uid), 'a name of ours is nothing foreign').toHaveLength(writes)
})
