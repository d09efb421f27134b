// The driver's promises, kept through real agents: one edge, since its data plane has the machine's addresses.
import { userspaceCapabilities } from '@weir/drivers'
import { systemClock, systemIds } from '@weir/kernel'
import { afterAll, beforeAll } from 'vitest'
import { testDriver } from '../../libs/drivers/driver.conformance.ts'
import { desiredOf } from '../../libs/drivers/sample-desired.ts'
import { createUserspacePlane } from '../../services/edge/data-plane/userspace/userspace.ts'
import { createAddresses } from '../../services/edge/rig/orders.ts'
import { createFleetRig } from './fleet-rig.ts'
import { createClients, readByTraffic, strangers } from './sockets-read.ts'
import { createStandinNodes, type StandinNodes } from './standin-nodes.ts'

const address = createAddresses()
const vips = Array.from({ length: 6 }, () => address())
const another = address()
const clients = createClients()
const isVip = (ip: string): boolean => vips.includes(ip) || ip === another
let nodes: StandinNodes

beforeAll(async () => {
  const { targets } = desiredOf()
  nodes = await createStandinNodes(
    targets.map((target) => ({ ...target, ip: address() as typeof target.ip })),
  )
})
afterAll(() => nodes.close())

const options = {
  target: 'real agent, userspace',
  capabilities: userspaceCapabilities,
  tokens: false,
  tellsOfChanges: true,
  tags: false,
  lags: false,
  timeoutMs: 120_000,
}
testDriver('edge', options, () =>
  createFleetRig({
    dataPlane: 'userspace',
    edges: ['one'],
    open: async () =>
      createUserspacePlane({ clock: systemClock, ids: systemIds, limits: { drainMs: 50 } }),
    read: (_edge, held) => readByTraffic({ nodes, clients, isVip }, held),
    strays: (_edge, held) => strangers({ isVip }, held),
    clear: () => Promise.resolve(),
    vips,
    addressIn: (family) => (family === 'IPv4' ? another : '::1'),
    targets: nodes.targets,
  }),
)
