// Services that a list is without: gone, or hidden by a list that lies.
import { clusterId, event, streamOf } from '@weir/contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createService, deleteService, patchService } from './rig/objects.ts'
import { append, otherCluster, startRig, type Rig } from './rig/rig.ts'
import { serve, typesOf } from './rig/story.ts'
import { until } from './rig/until.ts'

let rig: Rig
beforeEach(async () => {
  rig = await startRig()
})
afterEach(() => rig.stop())

test('Services that are all missing at once are kept until somebody says that they are gone', async () => {
  await rig.connect()
  const crash = await rig.watch()
  const names = ['a', 'b', 'c', 'd', 'e']
  const uids: string[] = []
  for (const name of names) uids.push(await createService(rig.kube, name))
  for (const uid of uids) await until(() => expect(rig.phases(uid)).toContain('present'))
  await crash()
  for (const name of names) {
    await patchService(rig.kube, name, { metadata: { finalizers: null } })
    await deleteService(rig.kube, name)
  }
  await rig.watch()
  const id = await rig.kube.identity()
  await until(async () => expect(typesOf(await rig.story(id)).at(-1)).toBe('ServicesMissing'))
  const later = await createService(rig.kube, 'later')
  await until(() => expect(rig.phases(later)).toContain('present'))
  for (const uid of uids) expect(rig.phases(uid)).not.toContain('gone')
  await append(rig.store, streamOf('cluster', clusterId.parse(id)), id, [
    event('AbsenceApproved', { id: clusterId.parse(id) }),
  ])
  for (const uid of uids) await until(() => expect(rig.phases(uid).at(-1)).toBe('gone'))
})

describe('a list that lies', () => {
  test('once makes nothing gone', async () => {
    await rig.connect()
    const crash = await rig.watch()
    const uid = await serve(rig, 'web', '198.51.100.7')
    await crash()
    rig.faults.lieNext({ method: 'GET', path: /\/services\?limit/, count: 1 }, 'empty')
    await rig.watch()
    await serve(rig, 'later', '198.51.100.8')
    expect(rig.phases(uid)).not.toContain('gone')
  })

  test('because another cluster answers makes nothing gone and nothing known', async () => {
    await createService(rig.kube, 'web')
    await rig.connect({ identity: otherCluster })
    await rig.watch()
    await rig.connect()
    await until(() => expect(rig.received.length).toBeGreaterThan(0))
    expect(rig.received.every(({ cluster }) => cluster === rig.cluster)).toBe(true)
  })
})
