import { expect, test } from 'vitest'
import { nodePortOf } from '../capability.ts'
import { remove, serve } from '../carry-out.ts'
import { testDriver, type DriverRig, type Serving } from '../driver.conformance.ts'
import type { Capabilities, Observed } from '../driver.ts'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { createMemoryDriver, memoryCapabilities, type MemoryDriver } from './memory-driver.ts'
import type { MemorySeen } from './memory-plan.ts'
import type { MemoryProvider } from './memory-provider.ts'

/** A provider that can hardly do anything: of every wish there is one that is refused. */
const poor: Capabilities = {
  ...memoryCapabilities,
  protocols: ['TCP'],
  ipFamilies: ['IPv4'],
  sourceRanges: false,
  clientIpAffinity: false,
  proxyProtocol: false,
  weights: false,
  preservesClientAddress: 'never',
  maxFrontends: 2,
}
const picky: Capabilities = { ...memoryCapabilities, samePortTcpUdp: 'equal-node-ports' }
const strict: Capabilities = { ...memoryCapabilities, samePortTcpUdp: 'never' }

for (const [name, capabilities, slow] of [
  ['memory', memoryCapabilities, false],
  ['slow memory', memoryCapabilities, true],
  ['poor memory', poor, false],
  ['picky memory', picky, false],
  ['strict memory', strict, false],
] as const) {
  const options = { target: 'memory', tokens: false, tellsOfChanges: true, tags: false, lags: true }
  testDriver(name, { ...options, capabilities }, async () =>
    Promise.resolve(createRig(capabilities, slow)),
  )
}

const createRig = (capabilities: Capabilities, slow: boolean): DriverRig => {
  const options = { installation: ourInstallation, capabilities, slow }
  const driver = createMemoryDriver(options)
  const { provider } = driver
  return {
    ...freezing(driver),
    another: () => createMemoryDriver({ ...options, provider }),
    settle: async () => Promise.resolve(provider.settle()),
    things: async () => Promise.resolve(thingsOf(provider)),
    serving: async () => Promise.resolve(servingOf(provider, capabilities)),
    plant: async (desired, how) =>
      Promise.resolve(provider.plant(desired, how === 'half' ? how : undefined)),
    plantUnmarked: async () => {
      provider.plantUnmarked('made by hand')
      return Promise.resolve('made by hand')
    },
    failNext: (when) => driver.meet([when === 'before' ? 'fails' : 'loses-reply']),
    sample: desiredOf,
  }
}

/** The driver, whose reads may be made to answer what was there before. */
const freezing = (driver: MemoryDriver): Pick<DriverRig, 'driver' | 'freezeReads'> => {
  let frozen: Map<string, Observed<MemorySeen>> | undefined
  return {
    driver: {
      ...driver,
      observe: async (marks) => {
        const now = await driver.observe(marks)
        if (frozen === undefined) return now
        const then = frozen.get(marks.key) ?? now
        frozen.set(marks.key, then)
        return then
      },
    },
    freezeReads: (freeze) => {
      frozen = freeze ? new Map() : undefined
      driver.freezeList(freeze)
    },
  }
}

const kind = 'load balancer'
const thingsOf = (provider: MemoryProvider) => [
  ...provider.world().map(({ marks }) => ({ kind, ref: `${marks.key}/${marks.epoch}`, marks })),
  ...provider.unmarked().map((ref) => ({ kind, ref, marks: null })),
]

const servingOf = (
  provider: MemoryProvider,
  { weights, needsNodePort }: Capabilities,
): readonly Serving[] =>
  provider.world().map(({ marks, generation, frontends, targets, ...desired }) => ({
    installation: marks.installation,
    key: marks.key,
    epoch: marks.epoch,
    generation,
    frontends: frontends.map(({ protocol, port }) => ({ protocol, port })),
    targets: frontends.flatMap((at) =>
      targets.map(({ ip, weight }) => ({
        at: ip,
        nodePort: needsNodePort ? nodePortOf(at) : null,
        weight: weights ? weight : 1,
      })),
    ),
    sourceRanges: desired.sourceRanges,
    health: { port: desired.health.port, path: desired.health.path },
    proxyProtocol: desired.proxyProtocol,
    affinity: desired.affinity.kind,
  }))

test('input that breaks the contract is refused', async () => {
  const driver = createMemoryDriver({ installation: ourInstallation })
  const broken = { ...desiredOf(), generation: 0 }
  expect(await serve(driver, broken)).toMatchObject({ status: 'refused', capability: 'input' })
})

test('a frozen list is a stale one', async () => {
  const driver = createMemoryDriver({ installation: ourInstallation })
  await serve(driver, desiredOf())
  driver.freezeList(true)
  await remove(driver, desiredOf().marks)
  expect((await driver.inventory()).resources).toHaveLength(1)
  driver.freezeList(false)
  expect((await driver.inventory()).resources).toHaveLength(0)
})
