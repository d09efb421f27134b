import { event, streamOf, tenantId } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { cleanupFinalizer, withLoopback } from '@weir/kube'
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDesks } from './desk.ts'
import { createRegistry } from './registry.ts'
import {
  acme,
  append,
  createService,
  getService,
  patchService,
  startRig,
  type Rig,
} from './rig/rig.ts'

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
