import {
  edgeOrder,
  edgeOrderSubject,
  fleetName,
  type DesiredResource,
  type EdgeOrder,
} from '@weir/contract'
import type { Clock } from '@weir/kernel'
import { expect } from 'vitest'
import { nodePortOf } from '../capability.ts'
import { testDriver, type DriverRig, type Serving } from '../driver.conformance.ts'
import type { Capabilities } from '../driver.ts'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { capabilitiesBy, createEdgeDriver, type FleetDataPlane } from './edge-driver.ts'
import { refOf } from './edge-inventory.ts'
import { createStandinBus, createStandinEdge, type StandinBus } from './fleet-standin.ts'

const fleet = fleetName.parse('local')
const order = (desired: DesiredResource) => ({ order: 'serve', fleet, desired }) as const

const fleets: readonly (readonly [FleetDataPlane, readonly string[]])[] = [
  ['userspace', ['one']],
  ['userspace', ['one', 'two', 'three']],
  ['kernel', ['one', 'two', 'three']],
  ['envoy', ['one', 'two', 'three']],
]
for (const [dataPlane, names] of fleets) {
  const options = {
    target: `stand-in fleet of ${names.length}, ${dataPlane}`,
    capabilities: capabilitiesBy[dataPlane],
    tokens: false,
    tellsOfChanges: true,
    tags: false,
    lags: false,
  }
  testDriver('edge', options, () => createRig(names, dataPlane))
}

const createRig = async (
  names: readonly string[],
  dataPlane: FleetDataPlane,
): Promise<DriverRig> => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const bus = createStandinBus()
  const edges = names.map((name) => createStandinEdge(bus, clock, { fleet, name }))
  for (const edge of edges) edge.beat()
  const stopping = new AbortController()
  const another = () => {
    const driver = createEdgeDriver({ bus, clock, fleet, dataPlane, installation: ourInstallation })
    void driver.run(stopping.signal)
    return driver
  }
  const work = async (): Promise<void> => {
    now += 10
    for (const edge of edges) await edge.work()
  }
  const driver = another()
  await Promise.resolve()
  return {
    driver,
    another,
    settle: work,
    things: async () => {
      const { told, unreadable } = await readOrders(bus)
      const held = edges.flatMap((edge) => edge.serving())
      const marks = [...told, ...held].map(({ desired }) => desired.marks)
      const things = marks.map(
        (own) => [refOf(own), { kind, ref: refOf(own), marks: own }] as const,
      )
      return [...new Map(things).values(), ...unreadable.map((ref) => ({ kind, ref, marks: null }))]
    },
    serving: async () => {
      // Every edge does the same for us, or traffic depends on the way that it takes.
      const served = edges.map((edge) =>
        edge.serving().map(({ desired }) => servingOf(desired, driver.capabilities)),
      )
      const isOurs = ({ installation }: Serving): boolean => installation === ourInstallation
      const [ours = [], ...others] = served.map((each) => each.filter(isOurs))
      for (const other of others) expect(other).toEqual(ours)
      return Promise.resolve([...ours, ...served.flat().filter((each) => !isOurs(each))])
    },
    plant: async (desired, how) => {
      if (how === 'half') {
        edges[0]?.plant(order(desired))
        edges[0]?.beat()
        return
      }
      bus.tell({
        subject: edgeOrderSubject(fleet, desired.marks.key),
        body: JSON.stringify(order(desired)),
      })
      await work()
    },
    plantUnmarked: async () => {
      const subject = `weir.edge.${fleet}.order.by-hand`
      bus.tell({ subject, body: '{}' })
      return Promise.resolve(subject)
    },
    failNext: (when) => bus.failPublish(1, when),
    sample: desiredOf,
    stop: async () => Promise.resolve(stopping.abort()),
  }
}

const kind = 'load balancer'

/** What the bus orders to serve, and what nobody can read. */
const readOrders = async (bus: StandinBus) => {
  const told: Extract<EdgeOrder, { order: 'serve' }>[] = []
  const unreadable: string[] = []
  for await (const { subject, body } of bus.lastOfEach('EDGE', `weir.edge.${fleet}.order.*`)) {
    const parsed = edgeOrder.safeParse(JSON.parse(body))
    if (!parsed.success) unreadable.push(subject)
    else if (parsed.data.order === 'serve') told.push(parsed.data)
  }
  return { told, unreadable }
}

const servingOf = (desired: DesiredResource, { needsNodePort }: Capabilities): Serving => ({
  installation: desired.marks.installation,
  key: desired.marks.key,
  epoch: desired.marks.epoch,
  generation: desired.generation,
  frontends: desired.frontends.map(({ protocol, port }) => ({ protocol, port })),
  targets: desired.frontends.flatMap((at) => {
    const nodePort = needsNodePort ? nodePortOf(at) : null
    return desired.targets.map(({ ip, weight }) => ({ at: ip, nodePort, weight }))
  }),
  sourceRanges: desired.sourceRanges,
  health: { port: desired.health.port, path: desired.health.path },
  proxyProtocol: desired.proxyProtocol,
  affinity: desired.affinity.kind,
})
