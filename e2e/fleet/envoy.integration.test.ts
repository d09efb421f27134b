// The driver's promises, kept through a real agent and one Envoy, which all worlds of the suite share.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { edgeId, type DesiredResource, type ResourceKey } from '@weir/contract'
import { envoyCapabilities } from '@weir/drivers'
import { findBinary } from '@weir/embedded'
import { silentLogger, systemClock } from '@weir/kernel'
import { afterAll, beforeAll, describe } from 'vitest'
import { testDriver } from '../../libs/drivers/driver.conformance.ts'
import { desiredOf } from '../../libs/drivers/sample-desired.ts'
import type { DataPlane } from '../../services/edge/data-plane/data-plane.ts'
import {
  createEnvoyPlane,
  type EnvoyPlane,
} from '../../services/edge/data-plane/envoy/envoy-plane.ts'
import { runProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import { envoyName } from '../../services/edge/domain/envoy-resources.ts'
import { createAddresses } from '../../services/edge/rig/orders.ts'
import { createFleetRig } from './fleet-rig.ts'
import { createClients, readByTraffic, strangers } from './sockets-read.ts'
import { createStandinNodes, type StandinNodes } from './standin-nodes.ts'

const program = findBinary('envoy', { env: process.env })
const address = createAddresses()
const vips = Array.from({ length: 6 }, () => address())
const another = address()
const clients = createClients()
const isVip = (ip: string): boolean => vips.includes(ip) || ip === another

/** The plane for one world, which leaves nothing behind. */
const forOneWorld = (plane: EnvoyPlane): DataPlane => {
  const served = new Set<ResourceKey>()
  return {
    ...plane,
    serve: (desired, targets) => {
      served.add(desired.marks.key)
      return plane.serve(desired, targets)
    },
    close: async () => {
      for (const key of served) await plane.remove(key)
    },
  }
}

describe.skipIf(program === undefined)('Envoy, by "npm run binaries -- envoy"', () => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-envoy-'))
  let plane: EnvoyPlane
  let nodes: StandinNodes
  beforeAll(async () => {
    const { targets } = desiredOf()
    nodes = await createStandinNodes(
      targets.map((target) => ({ ...target, ip: address() as typeof target.ip })),
    )
    plane = await createEnvoyPlane({
      edge: edgeId.parse('one'),
      program: program ?? 'envoy',
      folder,
      drainMs: 50,
      clock: systemClock,
      log: silentLogger,
      run: runProgram,
      // Each thread takes its own turns: shares of a few flows can be seen with one alone.
      workers: 1,
      lookMs: 50,
    })
  })
  afterAll(async () => {
    await plane.close()
    await plane.envoy().stop()
    await nodes.close()
    rmSync(folder, { recursive: true })
  })

  /** Listeners that Envoy says it has, beside those of what is held. */
  const lostListeners = async (held: readonly DesiredResource[]): Promise<readonly string[]> => {
    const own = new Set(
      held.flatMap(({ marks, frontends }) => frontends.map((at) => envoyName(marks.key, at))),
    )
    return [...(await plane.envoy().admin.listeners())].filter(
      (name) => name !== '' && !own.has(name),
    )
  }
  const options = {
    target: 'real agent, envoy',
    capabilities: envoyCapabilities,
    tokens: false,
    tellsOfChanges: true,
    tags: false,
    lags: false,
    timeoutMs: 120_000,
  }
  testDriver('edge', options, () =>
    createFleetRig({
      dataPlane: 'envoy',
      edges: ['one'],
      open: async () => forOneWorld(plane),
      read: (_edge, held) => readByTraffic({ nodes, clients, isVip }, held),
      strays: async (_edge, held) => [
        ...(await strangers({ isVip }, held)),
        ...(await lostListeners(held)),
      ],
      clear: () => Promise.resolve(),
      vips,
      addressIn: (family) => (family === 'IPv4' ? another : '::1'),
      targets: nodes.targets,
    }),
  )
})
