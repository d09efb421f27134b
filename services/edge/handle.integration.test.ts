import { createMemoryBus, type Bus, type MemoryBus, type OutgoingMessage } from '@weir/bus'
import {
  desiredHash,
  edgeHeartbeat,
  edgeHeartbeatSubject,
  edgeId,
  edgeLifetimes,
  edgeOrderSubject,
  edgeReport,
  edgeReportSubject,
  type DesiredResource,
  type EdgeOrder,
  type EdgeReport,
} from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createUserspacePlane } from './data-plane/userspace/userspace.ts'
import { marksOf } from './domain/decide.ts'
import { createEdgeAgent } from './handle.ts'
import {
  createAddresses,
  desiredOf,
  fleet,
  removeOrder,
  serveOrder,
  type Wish,
} from './rig/orders.ts'
import { askTcp, listenHealth, listenTcp, type HealthPort, type Opened } from './rig/sockets.ts'
import { openOrderJournal, type OrderJournal } from './state/order-journal.ts'

const edge = edgeId.parse('edge-1')
const address = createAddresses()
const opened: Opened[] = []
let folder: string
let bus: MemoryBus

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-edge-'))
  bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()))
  await bus.close()
  await rm(folder, { recursive: true, force: true })
})

/** An edge as main.ts makes it; without a bus it knows only its disk. */
const startEdge = async (
  on: Bus | undefined,
  given?: OrderJournal,
  times: Partial<Record<'tombstoneMs' | 'lookAgainMs' | 'portsMs', number>> = {},
): Promise<Opened> => {
  const life = new AbortController()
  const ports = { clock: systemClock, ids: systemIds, log: silentLogger }
  const agent = createEdgeAgent({
    ...ports,
    fleet,
    edge,
    plane: createUserspacePlane(ports),
    journal: given ?? (await openOrderJournal(folder, silentLogger)),
    signal: life.signal,
    heartbeatMs: 50,
    probeIntervalMs: 40,
    probeTimeoutMs: 200,
    ...times,
  })
  await agent.start()
  const following = on ? agent.follow(on) : Promise.resolve()
  let stopped = false
  const close = async (): Promise<void> => {
    if (stopped) return
    stopped = true
    life.abort()
    await following
    await agent.stop()
  }
  opened.push({ close })
  return { close }
}
const order = async (message: EdgeOrder): Promise<void> => {
  const subject = edgeOrderSubject(fleet, marksOf(message).key)
  await bus.publish([{ subject, body: JSON.stringify(message) }])
}
const reportOf = async ({ marks }: DesiredResource): Promise<EdgeReport | undefined> => {
  const last = await bus.last('EDGE', edgeReportSubject(fleet, edge, marks.key))
  return last && edgeReport.parse(JSON.parse(last.body))
}
/** Waits for a report that says so. */
const reported = (desired: DesiredResource, expected: Partial<EdgeReport>): Promise<EdgeReport> =>
  eventually(async () => {
    const report = await reportOf(desired)
    expect(report).toMatchObject(expected)
    return report
  })

/** Waits until no assertion of `check` fails. */
const holds = (check: () => Promise<unknown>): Promise<boolean> =>
  eventually(async () => {
    await check()
    return true as const
  })

const healthPort = 10_256
interface Node {
  readonly ip: string
  readonly health: HealthPort
}
const node = async (name: string): Promise<Node> => {
  const ip = address()
  opened.push(await listenTcp(ip, 30_080, (socket) => void socket.end(name)))
  const health = await listenHealth(ip, healthPort)
  opened.push(health)
  return { ip, health }
}
const web = (nodes: readonly Node[], more: Partial<Wish> = {}) => {
  const vip = address()
  const desired = desiredOf({
    frontends: [{ ip: vip, protocol: 'TCP', port: 8080, nodePort: 30_080 }],
    targets: nodes.map(({ ip }, at) => ({ node: `n${at + 1}`, ip, weight: 1 })),
    ...more,
  })
  return { vip, desired, at: { host: vip, port: 8080 } }
}
const again = (desired: DesiredResource, more: Partial<DesiredResource>): DesiredResource => ({
  ...desired,
  ...more,
})
const shares = async (at: { host: string; port: number }, of: number) => {
  const counts = new Map<string, number>()
  for (let each = 0; each < of; each += 1) {
    const name = await askTcp(at)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

test('an order is served, reported with its hash, and its nodes get healthy', async () => {
  await startEdge(bus)
  const { desired, at } = web([await node('n1')])
  await order(serveOrder(desired))
  const report = await reported(desired, { state: 'serving', generation: 1, problem: null })
  expect(report.hash).toBe(desiredHash(desired))
  expect(await askTcp(at)).toBe('n1')
  await reported(desired, {
    targets: [{ node: 'n1', state: 'healthy', weight: null, problem: null }],
  })
})

test('the heartbeat tells everything that the edge holds', async () => {
  await startEdge(bus)
  const { desired } = web([await node('n1')])
  await order(serveOrder(desired))
  const beat = async () => {
    const last = await bus.last('EDGE', edgeHeartbeatSubject(fleet, edge))
    return last && edgeHeartbeat.parse(JSON.parse(last.body))
  }
  const held = [{ marks: desired.marks, generation: 1 }]
  await holds(async () =>
    expect(await beat()).toMatchObject({ dataPlane: 'userspace', resources: held }),
  )
  await order(removeOrder(desired))
  await holds(async () => expect((await beat())?.resources).toEqual([]))
})

const never = { portsMs: 600_000 }
/** A node whose health port is there before its node port. */
const lateNode = async () => {
  const ip = address()
  const health = await listenHealth(ip, healthPort)
  opened.push(health)
  const open = async (nodePort = 30_080): Promise<Opened> => {
    const port = await listenTcp(ip, nodePort, (socket) => void socket.end('late'))
    opened.push({ close: () => port.close().catch(() => undefined) })
    return port
  }
  return { node: { ip, health }, open }
}
const inForce = (generation: number) =>
  eventually(async () => {
    const last = await bus.last('EDGE', edgeHeartbeatSubject(fleet, edge))
    return last?.body.includes(`"generation":${generation}`)
  })

test('serving is said when a node port answers, and the order is in force before', async () => {
  await startEdge(bus, undefined, never)
  const [mute, late] = [await lateNode(), await lateNode()]
  const { desired, at } = web([mute.node, late.node])
  await order(serveOrder(desired))
  await inForce(1)
  expect(await reportOf(desired)).toBeUndefined()
  await late.open()
  await reported(desired, { state: 'serving', generation: 1 })
  expect(await askTcp(at)).toBe('late')
})

test('an order that changes node ports waits for the new ones, any other is said at once', async () => {
  await startEdge(bus, undefined, never)
  const late = await lateNode()
  const port = await late.open()
  const { desired } = web([late.node])
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving', generation: 1 })
  await port.close()
  await order(serveOrder(again(desired, { generation: 2 })))
  await reported(desired, { state: 'serving', generation: 2 })
  const frontends = desired.frontends.map((frontend) => ({
    ...frontend,
    nodePort: 30_081 as never,
  }))
  await order(serveOrder(again(desired, { generation: 3, frontends })))
  await inForce(3)
  expect(await reportOf(desired)).toMatchObject({ generation: 2 })
  await late.open(30_081)
  await reported(desired, { state: 'serving', generation: 3 })
})

test('a node port that never answers is waited for once, however fast orders follow', async () => {
  await startEdge(bus, undefined, { portsMs: 500 })
  const { desired } = web([(await lateNode()).node])
  const stop = new AbortController()
  const follow = async (): Promise<void> => {
    for (let generation = 1; !stop.signal.aborted; generation += 1) {
      await order(serveOrder(again(desired, { generation })))
      await systemClock.sleep(50, stop.signal)
    }
  }
  const following = follow()
  await reported(desired, { state: 'serving' })
  stop.abort()
  await following
})

test.each([
  ['has no node to ask', 'TCP', false],
  ['has UDP alone', 'UDP', true],
])('a Service that %s is said to be served at once', async (_why, protocol, hasNode) => {
  await startEdge(bus, undefined, never)
  const nodes = hasNode ? [(await lateNode()).node] : []
  const frontends = [{ ip: address(), protocol, port: 8080, nodePort: 30_080 }]
  const desired = desiredOf({ targets: web(nodes).desired.targets, frontends })
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving' })
})

test('what was served before a restart is said at once', async () => {
  const before = await startEdge(bus)
  const late = await lateNode()
  const port = await late.open()
  const { desired } = web([late.node])
  await order(serveOrder(desired))
  const { at } = await reported(desired, { state: 'serving' })
  await before.close()
  await port.close()
  await startEdge(bus, undefined, never)
  await eventually(async () => (await reportOf(desired))?.at !== at)
})

test('a lesser version is not obeyed, not even after a restart', async () => {
  const edgeBefore = await startEdge(bus)
  const { desired, at } = web([await node('n1')])
  const moved = address()
  const older = again(desired, {
    frontends: web([]).desired.frontends.map((frontend) => ({
      ...frontend,
      ip: moved as typeof frontend.ip,
    })),
  })
  await order(serveOrder(again(desired, { generation: 5 })))
  await reported(desired, { generation: 5 })
  await order(serveOrder(again(older, { generation: 4 })))
  // The answer to a late order is the report of what is served.
  await holds(async () => expect(await askTcp(at)).toBe('n1'))
  await edgeBefore.close()
  bus.wipe()
  await startEdge(bus)
  await order(serveOrder(again(older, { generation: 4 })))
  await reported(desired, { state: 'serving', generation: 5 })
  expect(await askTcp(at)).toBe('n1')
  await expect(askTcp({ host: moved, port: 8080 })).rejects.toThrow('ECONNREFUSED')
})

test('a tombstone closes the frontends; the next incarnation opens them again', async () => {
  await startEdge(bus)
  const { desired, at } = web([await node('n1')])
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving' })
  await order(removeOrder(desired))
  await reported(desired, { state: 'absent', hash: '', targets: [] })
  await expect(askTcp(at)).rejects.toThrow('ECONNREFUSED')
  await order(serveOrder(desired))
  await order(serveOrder(again(desired, { marks: { ...desired.marks, epoch: 2 } })))
  await reported(desired, { state: 'serving', generation: 1 })
  expect((await reportOf(desired))?.marks.epoch).toBe(2)
  expect(await askTcp(at)).toBe('n1')
})

test('a tombstone for a resource never seen is answered', async () => {
  await startEdge(bus)
  const { desired } = web([])
  await order(removeOrder(desired))
  await reported(desired, { state: 'absent', generation: 1 })
})

test('a tombstone is forgotten when its time is over, an order to serve is not', async () => {
  const journal = await openOrderJournal(folder, silentLogger)
  await startEdge(bus, journal, { tombstoneMs: 300, lookAgainMs: 50 })
  const kept = web([await node('n1')])
  const removed = web([])
  await order(serveOrder(again(kept.desired, { generation: 5 })))
  await order(removeOrder(again(removed.desired, { generation: 5 })))
  await reported(kept.desired, { state: 'serving' })
  await reported(removed.desired, { state: 'absent', generation: 5 })
  expect([...journal.orders.keys()]).toContain(removed.desired.marks.key)
  bus.wipe()
  await eventually(() => journal.orders.size === 1)
  expect([...journal.orders.keys()]).toEqual([kept.desired.marks.key])
  // Nobody remembers generation 5 of the removed one, and everybody that of the one which is served.
  await order(serveOrder(again(kept.desired, { generation: 4 })))
  await order(serveOrder(again(removed.desired, { generation: 4 })))
  await reported(removed.desired, { state: 'serving', generation: 4 })
  await reported(kept.desired, { state: 'serving', generation: 5 })
})

test('a tombstone that is still told after it was forgotten is obeyed and answered again', async () => {
  const journal = await openOrderJournal(folder, silentLogger)
  let forgotten = 0
  const counting: OrderJournal = {
    ...journal,
    forget: (keys) => {
      forgotten += keys.length
      return journal.forget(keys)
    },
  }
  await startEdge(bus, counting, { tombstoneMs: 100, lookAgainMs: 50 })
  const { desired } = web([])
  await order(removeOrder(desired))
  const { at } = await reported(desired, { state: 'absent' })
  await eventually(() => forgotten > 0)
  await eventually(async () => (await reportOf(desired))?.at !== at)
  await reported(desired, { state: 'absent' })
  await eventually(() => journal.orders.size === 1)
})

test('what an edge says, the bus keeps for a time', async () => {
  const told: OutgoingMessage[] = []
  const watched: Bus = {
    ...bus,
    publish: (messages) => {
      told.push(...messages)
      return bus.publish(messages)
    },
  }
  await startEdge(watched)
  const { desired } = web([])
  await order(removeOrder(desired))
  await reported(desired, { state: 'absent' })
  const lifeOf = (part: string) => told.find(({ subject }) => subject.includes(part))?.ttlMs
  await eventually(() => lifeOf('.heartbeat.') !== undefined)
  expect(lifeOf('.report.')).toBe(edgeLifetimes.reportMs)
  expect(lifeOf('.heartbeat.')).toBe(edgeLifetimes.heartbeatMs)
})

test('an edge that starts with the bus dead serves from disk what it served, and nothing more', async () => {
  const before = await startEdge(bus)
  const kept = web([await node('n1')])
  const removed = web([await node('n2')])
  for (const { desired } of [kept, removed]) await order(serveOrder(desired))
  await reported(kept.desired, { state: 'serving' })
  await reported(removed.desired, { state: 'serving' })
  await order(removeOrder(removed.desired))
  await reported(removed.desired, { state: 'absent' })
  await before.close()
  await expect(askTcp(kept.at)).rejects.toThrow('ECONNREFUSED')
  await startEdge(undefined)
  expect(await askTcp(kept.at)).toBe('n1')
  await expect(askTcp(removed.at)).rejects.toThrow('ECONNREFUSED')
})

test('a bus that lost everything changes nothing, and hears everything again', async () => {
  await startEdge(bus)
  const { desired, at } = web([await node('n1')])
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving' })
  bus.wipe()
  await reported(desired, { state: 'serving', generation: 1 })
  expect(await askTcp(at)).toBe('n1')
  const second = web([await node('n2')])
  await order(serveOrder(second.desired))
  await reported(second.desired, { state: 'serving' })
})

test('while the bus is away health still decides, and is told when the bus is back', async () => {
  await startEdge(bus)
  const [n1, n2] = [await node('n1'), await node('n2')]
  const { desired, at } = web([n1, n2])
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving' })
  bus.kill()
  n1.health.status = 503
  await holds(async () => expect((await shares(at, 6)).get('n1')).toBeUndefined())
  bus.restart()
  await holds(async () => {
    const report = await reportOf(desired)
    expect(report?.targets.map(({ state }) => state)).toEqual(['unhealthy', 'healthy'])
  })
})

test('a port that another program holds is refused in words, and served once it is free', async () => {
  await startEdge(bus)
  const { desired, at, vip } = web([await node('n1')])
  const squatter = await listenTcp(vip, 8080, (socket) => void socket.end('squatter'))
  await order(serveOrder(desired))
  const { problem } = await reported(desired, { state: 'refused' })
  expect(problem).toContain(`${vip}:8080/TCP is in use by another program`)
  await squatter.close()
  await reported(desired, { state: 'serving', problem: null })
  expect(await askTcp(at)).toBe('n1')
})

test('an address passes from one resource to the next, whichever order comes first', async () => {
  await startEdge(bus)
  const [n1, n2] = [await node('n1'), await node('n2')]
  const first = web([n1])
  const second = again(web([n2]).desired, { frontends: first.desired.frontends })
  await order(serveOrder(first.desired))
  await reported(first.desired, { state: 'serving' })
  await order(serveOrder(second))
  const { problem } = await reported(second, { state: 'refused' })
  expect(problem).toContain(`in use by resource ${first.desired.marks.key}`)
  expect(await askTcp(first.at)).toBe('n1')
  await order(removeOrder(first.desired))
  await reported(second, { state: 'serving' })
  expect(await askTcp(first.at)).toBe('n2')
})

test('the weight a node tells decides: 3 pods and 1 pod get 75 and 25 of 100', async () => {
  await startEdge(bus)
  const [n1, n2, n3] = [await node('n1'), await node('n2'), await node('n3')]
  n1.health.weight = 3
  n2.health.weight = 1
  n3.health.weight = 0
  n3.health.status = 503
  const { desired, at } = web([n1, n2, n3], {
    policy: 'Local',
    health: { port: healthPort, path: '/healthz', weightFromHeader: true },
  })
  await order(serveOrder(desired))
  await reported(desired, {
    targets: [
      { node: 'n1', state: 'healthy', weight: 3, problem: null, flows: 3 },
      { node: 'n2', state: 'healthy', weight: 1, problem: null, flows: 1 },
      { node: 'n3', state: 'unhealthy', weight: 0, problem: 'answered 503', flows: 0 },
    ],
  })
  const counts = await shares(at, 400)
  expect(Math.abs((counts.get('n1') ?? 0) - 300)).toBeLessThanOrEqual(20)
  expect((counts.get('n1') ?? 0) + (counts.get('n2') ?? 0)).toBe(400)
})

test('a node that says 503 gets nothing new; when all say so the frontend refuses', async () => {
  await startEdge(bus)
  const [n1, n2] = [await node('n1'), await node('n2')]
  const { desired, at } = web([n1, n2])
  await order(serveOrder(desired))
  n1.health.status = 503
  await holds(async () => expect((await shares(at, 6)).get('n1')).toBeUndefined())
  n2.health.status = 503
  await holds(async () => expect(askTcp(at)).rejects.toThrow('ECONNREFUSED'))
  const none = await reported(desired, { targets: [{ flows: 0 }, { flows: 0 }] as never })
  n1.health.status = 200
  await holds(async () => expect(await askTcp(at)).toBe('n1'))
  const one = await reported(desired, { targets: [{ flows: 1 }, { flows: 0 }] as never })
  expect(Date.parse(one.flowsSince ?? '')).toBeGreaterThan(Date.parse(none.flowsSince ?? ''))
})

test('flows go where they went since before an order that changes nothing about it', async () => {
  await startEdge(bus)
  const { desired } = web([await node('n1')])
  await order(serveOrder(desired))
  const first = await reported(desired, { generation: 1, targets: [{ state: 'healthy' }] as never })
  await order(serveOrder(again(desired, { generation: 2, sourceRanges: ['127.0.0.0/8' as never] })))
  const second = await reported(desired, { generation: 2 })
  expect(second.flowsSince).toBe(first.flowsSince)
})

test('nodes that go silent all at once are used on', async () => {
  await startEdge(bus)
  const [n1, n2] = [await node('n1'), await node('n2')]
  const { desired, at } = web([n1, n2])
  await order(serveOrder(desired))
  n1.health.mute = true
  await holds(async () => expect((await shares(at, 6)).get('n1')).toBeUndefined())
  n2.health.mute = true
  const silent = { state: 'unhealthy' as const, weight: null, problem: 'no answer within 200 ms' }
  await reported(desired, {
    targets: [
      { node: 'n1', ...silent },
      { node: 'n2', ...silent },
    ],
  })
  expect((await shares(at, 6)).size).toBe(2)
})

test('a bare 200 where a weight is due is unknown, not healthy', async () => {
  await startEdge(bus)
  const { desired } = web([await node('n1')], {
    policy: 'Local',
    health: { port: healthPort, path: '/healthz', weightFromHeader: true },
  })
  await order(serveOrder(desired))
  await reported(desired, {
    targets: [
      { node: 'n1', state: 'unknown', weight: null, problem: 'answered 200 without a weight' },
    ],
  })
})

test('an order that breaks the rules parks alone', async () => {
  await startEdge(bus)
  const { desired, at } = web([await node('n1')])
  await bus.publish([
    { subject: `weir.edge.${fleet}.order.edge-x`, body: 'not JSON' },
    { subject: `weir.edge.${fleet}.order.edge-y`, body: '{"order":"serve"}' },
    {
      subject: `weir.edge.${fleet}.order.edge-z`,
      body: JSON.stringify(serveOrder(web([]).desired)),
    },
  ])
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving' })
  expect(await askTcp(at)).toBe('n1')
})

test('duplicated and reordered orders end in the newest', async () => {
  bus.misbehave({ duplicate: 0.5, reorder: 0.5, lateMs: 30 })
  await startEdge(bus)
  const { desired } = web([await node('n1')])
  for (let generation = 1; generation <= 30; generation += 1) {
    await order(serveOrder(again(desired, { generation })))
  }
  await reported(desired, { state: 'serving', generation: 30 })
})

test('lines of the journal that a crash tore are left out, the others count', async () => {
  const before = await startEdge(bus)
  const { desired, at } = web([await node('n1')])
  await order(serveOrder(desired))
  await reported(desired, { state: 'serving' })
  await before.close()
  const path = join(folder, 'orders.jsonl')
  await writeFile(path, `${await readFile(path, 'utf8')}{"order":"serve","fle`)
  await startEdge(undefined)
  expect(await askTcp(at)).toBe('n1')
})

test('an order that the disk refuses is in force, and reported serving once it is on disk', async () => {
  const journal = await openOrderJournal(folder, silentLogger)
  let diskFull = true
  await startEdge(bus, {
    orders: journal.orders,
    record: async (orders) => {
      if (diskFull) throw new Error('no space left on device')
      await journal.record(orders)
    },
    forget: (keys) => journal.forget(keys),
    close: () => journal.close(),
  })
  const { desired, at } = web([await node('n1')])
  await order(serveOrder(desired))
  await reported(desired, { state: 'refused', problem: 'no space left on device' })
  expect(await askTcp(at)).toBe('n1')
  diskFull = false
  await reported(desired, { state: 'serving', problem: null })
})

test('a state folder that is no folder is refused in words', async () => {
  const file = join(folder, 'file')
  await writeFile(file, '')
  await chmod(file, 0o400)
  await expect(openOrderJournal(file, silentLogger)).rejects.toThrow('WEIR_EDGE_STATE_DIR')
})
