import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryBus, type Bus, type IncomingMessage } from '@weir/bus'
import {
  edgeHeartbeat,
  edgeHeartbeatSubject,
  edgeId,
  edgeOrder,
  edgeOrderSubject,
  edgeReport,
  edgeReportSubject,
  fleetName,
  ipAddress,
  resourceFrontend,
  streams,
  type DesiredResource,
  type EdgeOrder,
  type Target,
} from '@weir/contract'
import { createEdgeDriver, type FleetDataPlane } from '@weir/drivers'
import { OperatingError, silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import type { DriverRig, Serving } from '../../libs/drivers/driver.conformance.ts'
import { desiredOf, ourInstallation } from '../../libs/drivers/sample-desired.ts'
import type { DataPlane } from '../../services/edge/data-plane/data-plane.ts'
import { holds } from '../harness/holds.ts'
import { compareVersions, generationOf, marksOf } from '../../services/edge/domain/decide.ts'
import { createEdgeAgent } from '../../services/edge/handle.ts'
import { openOrderJournal } from '../../services/edge/state/order-journal.ts'

const fleet = fleetName.parse('conformance')
const kind = 'load balancer'
const stream = streams.edge.name

export type ServeOrder = Extract<EdgeOrder, { order: 'serve' }>

/** What a rig must know of the data plane that its edges run. */
export interface FleetPlane {
  readonly dataPlane: FleetDataPlane
  readonly edges: readonly string[]
  open(edge: string): Promise<DataPlane>
  /** What the edge does with traffic for each resource that it holds, read past the agent. */
  read(edge: string, held: readonly DesiredResource[]): Promise<readonly Serving[]>
  /** What is in force there beside what these resources ask for, read past the agent. */
  strays(edge: string, held: readonly DesiredResource[]): Promise<readonly string[]>
  /** Leaves nothing of the data planes, all of which are closed. */
  clear(): Promise<void>
  /** The addresses of the suite's samples, one after the other. */
  readonly vips: readonly string[]
  readonly targets: readonly Target[]
  /** One more, where the data plane has the machine's addresses. */
  addressIn?(family: 'IPv4' | 'IPv6'): string
}

/**
 * A fleet of real agents in this process, each with a real data plane and its own disk, on a bus in memory,
 * and drivers on handles of their own.
 */
export const createFleetRig = async (plane: FleetPlane): Promise<DriverRig> => {
  const bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
  const traffic = createTraffic()
  const edges = await Promise.all(plane.edges.map((name) => startEdge(plane, name, bus.connect())))
  const stopping = new AbortController()
  const running: Promise<void>[] = []
  const another = () => {
    const driver = createEdgeDriver({
      bus: traffic.ofDriver(bus.connect()),
      clock: systemClock,
      fleet,
      dataPlane: plane.dataPlane,
      installation: ourInstallation,
    })
    running.push(driver.run(stopping.signal))
    return driver
  }
  const settle = async (): Promise<void> => {
    const { orders } = await readOrders(bus)
    for (const edge of edges) {
      await eventually(() => hasObeyed(bus, edge, orders))
      await holds(async () => {
        expect(await plane.strays(edge.name, await servedBy(edge))).toEqual([])
      })
    }
    await traffic.read(bus)
  }
  const order = (desired: DesiredResource): EdgeOrder => ({ order: 'serve', fleet, desired })
  const stop = async (): Promise<void> => {
    stopping.abort()
    await Promise.all([...running, ...edges.map((edge) => edge.stop())])
    await bus.close()
    await plane.clear()
  }
  const driver = another()
  // What an earlier world left in force fails this one, which is not to leave anything itself.
  await settle().catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return {
    driver,
    another,
    settle,
    things: async () => {
      const { orders, unreadable } = await readOrders(bus)
      const held = await Promise.all(edges.map((edge) => edge.held()))
      const marks = [...orders, ...held.flat()].filter(isServe).map(marksOf)
      const things = marks.map((own) => {
        const ref = `${own.installation}/${own.key}/${own.epoch}`
        return [ref, { kind, ref, marks: own }] as const
      })
      return [...new Map(things).values(), ...unreadable.map((ref) => ({ kind, ref, marks: null }))]
    },
    serving: async () => {
      const served: (readonly Serving[])[] = []
      for (const edge of edges) {
        served.push(await plane.read(edge.name, await servedBy(edge)))
      }
      // Every edge does the same for us, or traffic depends on the way that it takes.
      const isOurs = ({ installation }: Serving): boolean => installation === ourInstallation
      const [ours = [], ...others] = served.map((each) => each.filter(isOurs))
      for (const other of others) expect(other).toEqual(ours)
      return [...ours, ...served.flat().filter((each) => !isOurs(each))]
    },
    plant: async (desired, how) => {
      const subject = edgeOrderSubject(fleet, desired.marks.key)
      const body = JSON.stringify(order(desired))
      // An edge that obeyed an order which the bus lost before the others had it.
      if (how === 'half') await edges[0]?.give({ subject, body })
      else await bus.publish([{ subject, body }])
      await settle()
    },
    plantUnmarked: async () => {
      const subject = `weir.edge.${fleet}.order.by-hand`
      await bus.publish([{ subject, body: '{}' }])
      return subject
    },
    failNext: traffic.failNext,
    ...(plane.addressIn === undefined ? {} : { addressIn: plane.addressIn }),
    sample: (number = 1, over = {}) => {
      const ip = ipAddress.parse(plane.vips[number - 1])
      const frontend = resourceFrontend.parse({ ip, protocol: 'TCP', port: 8080, nodePort: 30_080 })
      return desiredOf(number, { frontends: [frontend], targets: [...plane.targets], ...over })
    },
    stop,
  }
}

const isServe = (order: EdgeOrder): order is ServeOrder => order.order === 'serve'

interface Edge {
  readonly name: string
  /** What is on its disk. */
  held(): Promise<readonly EdgeOrder[]>
  /** Gives it an order that is on no bus. */
  give(message: Pick<IncomingMessage, 'subject' | 'body'>): Promise<void>
  stop(): Promise<void>
}

const servedBy = async (edge: Edge): Promise<readonly DesiredResource[]> =>
  (await edge.held()).filter(isServe).map(({ desired }) => desired)

const startEdge = async (plane: FleetPlane, name: string, bus: Bus): Promise<Edge> => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-fleet-'))
  const life = new AbortController()
  const agent = createEdgeAgent({
    fleet,
    edge: edgeId.parse(name),
    plane: await plane.open(name),
    journal: await openOrderJournal(folder, silentLogger),
    clock: systemClock,
    ids: systemIds,
    log: silentLogger,
    signal: life.signal,
    heartbeatMs: 20,
    probeIntervalMs: 40,
    portsMs: 1,
  })
  await agent.start()
  const { promise: handle, resolve } =
    Promise.withResolvers<Parameters<Bus['consume']>[0]['handle']>()
  const following = agent.follow({
    ...bus,
    consume: (options) => {
      resolve(options.handle)
      return bus.consume(options)
    },
  })
  return {
    name,
    held: async () => {
      const text = await readFile(join(folder, 'orders.jsonl'), 'utf8').catch(() => '')
      const orders = text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => edgeOrder.parse(JSON.parse(line)))
      return [...new Map(orders.map((order) => [marksOf(order).key, order])).values()]
    },
    give: async (message) => {
      const obey = await handle
      await obey([{ ...message, headers: {}, streamSequence: 0, deliveries: 1 }])
    },
    stop: async () => {
      life.abort()
      await following
      await agent.stop()
      await rm(folder, { recursive: true })
    },
  }
}

/** What the bus orders, and what nobody can read. */
const readOrders = async (bus: Bus) => {
  const orders: EdgeOrder[] = []
  const unreadable: string[] = []
  for await (const { subject, body } of bus.lastOfEach(stream, `weir.edge.${fleet}.order.*`)) {
    const parsed = edgeOrder.safeParse(JSON.parse(body))
    if (parsed.success) orders.push(parsed.data)
    else unreadable.push(subject)
  }
  return { orders, unreadable }
}

/** Whether an edge answered these orders or is past them, and its heartbeat lists what it holds. */
const hasObeyed = async (bus: Bus, edge: Edge, orders: readonly EdgeOrder[]): Promise<boolean> => {
  const at = edgeId.parse(edge.name)
  const held = await edge.held()
  for (const order of orders) {
    const { key } = marksOf(order)
    const said = await bus.last(stream, edgeReportSubject(fleet, at, key))
    const mine = held.find((one) => marksOf(one).key === key)
    if (said === undefined || mine === undefined || compareVersions(mine, order) < 0) return false
    const report = edgeReport.parse(JSON.parse(said.body))
    expect(report).toMatchObject({
      marks: marksOf(mine),
      generation: generationOf(mine),
      state: isServe(mine) ? 'serving' : 'absent',
    })
  }
  const beat = await bus.last(stream, edgeHeartbeatSubject(fleet, at))
  const listed = beat && edgeHeartbeat.parse(JSON.parse(beat.body)).resources
  const serves = held.filter(isServe)
  expect(listed).toHaveLength(serves.length)
  for (const order of serves) {
    expect(listed).toContainEqual({ marks: marksOf(order), generation: generationOf(order) })
  }
  return true
}

/** What drivers say and hear on the bus. */
const createTraffic = () => {
  const readers: { heard: number }[] = []
  let fault: 'before' | 'after' | undefined
  return {
    failNext: (when: 'before' | 'after') => void (fault = when),
    ofDriver: (bus: Bus): Bus => {
      const reader = { heard: 0 }
      readers.push(reader)
      return {
        ...bus,
        publish: async (messages) => {
          const mine = fault
          fault = undefined
          if (mine === 'before') throw new OperatingError('cannot publish: the bus is away')
          const kept = await bus.publish(messages)
          if (mine === 'after') throw new OperatingError('no answer to publish: timed out')
          return kept
        },
        consume: (options) =>
          bus.consume({
            ...options,
            handle: async (messages) => {
              await options.handle(messages)
              const newest = messages.map(({ streamSequence }) => streamSequence)
              reader.heard = Math.max(reader.heard, ...newest)
            },
          }),
      }
    },
    /** Resolves when every driver has read what is on the bus now. */
    read: async (bus: Bus): Promise<void> => {
      let newest = 0
      for await (const { streamSequence } of bus.lastOfEach(stream, `weir.edge.${fleet}.>`)) {
        newest = Math.max(newest, streamSequence)
      }
      await eventually(() => readers.every(({ heard }) => heard >= newest))
    },
  }
}
