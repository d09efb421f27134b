import { tenantId } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { withLoopback } from '@weir/kube'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createDesks } from './desk.ts'
import { createRegistry } from './registry.ts'
import { acme, startRig, type Rig } from './rig/rig.ts'

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
