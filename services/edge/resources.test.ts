import { createMemoryBus, type MemoryBus } from '@weir/bus'
import { edgeDoubtSubject, edgeId, type DesiredResource } from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Herald } from './announce/herald.ts'
import type { DataPlane } from './data-plane/data-plane.ts'
import { afterProbe, healthRules, neverProbed, type NodeHealth } from './domain/health.ts'
import type { ProbeAnswer } from './domain/health.ts'
import { createSecondOpinion } from './health/second-opinion.ts'
import { healthyNodes, reportOf } from './holding.ts'
import { createResources, type Resources } from './resources.ts'
import { desiredOf, fleet, serveOrder } from './rig/orders.ts'
import type { OrderJournal } from './state/order-journal.ts'

let bus: MemoryBus
let life: AbortController
beforeEach(() => {
  bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
  life = new AbortController()
})
afterEach(async () => {
  life.abort()
  await bus.close()
})

const ready: ProbeAnswer = { kind: 'ready', weight: 2 }
const no: ProbeAnswer = { kind: 'not-ready', weight: 0, problem: 'answered 503' }
const silent: ProbeAnswer = { kind: 'silent', problem: 'no answer' }

/** An edge whose probes hear what a test says, and whose data plane is a note of what it serves. */
interface PaperEdge {
  readonly resources: Resources
  /** Nodes with their weights that take flows, as they were told, oldest first. */
  readonly told: Record<string, number>[]
  serving(): Record<string, number>
  /** What each node says, by name, from now on. */
  hear(said: Readonly<Record<string, ProbeAnswer>>): void
}

const paperEdge = (
  name: string,
  desired: DesiredResource,
  on?: MemoryBus,
  kind: DataPlane['kind'] = 'userspace',
  herald?: Herald,
): PaperEdge => {
  const heard = new Map<string, NodeHealth>()
  const told: Record<string, number>[] = []
  const plane: Pick<DataPlane, 'kind' | 'serve' | 'doubt'> = {
    kind,
    doubt: () => undefined,
    serve: async (_desired, targets) => {
      told.push(Object.fromEntries(targets.map(({ node, weight }) => [node, weight])))
      return Promise.resolve({ status: 'serving' })
    },
  }
  const journal: Pick<OrderJournal, 'orders' | 'record'> = {
    orders: new Map(),
    record: () => Promise.resolve(),
  }
  const prober = {
    watch: () => undefined,
    healthOf: ({ ip }: { readonly ip: string }) => heard.get(ip) ?? neverProbed,
    close: () => undefined,
  }
  const ports = { clock: systemClock, ids: systemIds, log: silentLogger, signal: life.signal }
  const second = createSecondOpinion({
    ...ports,
    fleet,
    edge: edgeId.parse(name),
    waitMs: 40,
    healthy: ({ key, epoch }) => {
      const holding = resources.holdings.get(key)
      return holding && healthyNodes(holding, epoch, prober.healthOf)
    },
  })
  const resources: Resources = createResources({
    ...ports,
    plane: plane as DataPlane,
    journal: journal as OrderJournal,
    prober,
    second,
    askAgainMs: 20,
    announceMs: 20,
    ...(herald && { herald }),
    // As a room whose node ports never answer.
    waitingRoom: { answered: () => new Promise(() => undefined) },
    portsMs: 0,
    onChange: () => undefined,
  })
  if (on) second.follow(on)
  return {
    resources,
    told,
    serving: () => told.at(-1) ?? {},
    hear: (said) => {
      for (const { node, ip } of desired.targets) {
        const answer = said[node]
        if (!answer) continue
        const before = heard.get(ip) ?? neverProbed
        heard.set(ip, afterProbe(before, answer, { rules: healthRules, now: 0 }))
      }
      resources.reweigh([desired.marks.key])
    },
  }
}
const desired = desiredOf({
  frontends: [{ ip: '203.0.113.10', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  targets: [
    { node: 'n1', ip: '10.0.0.1', weight: 1 },
    { node: 'n2', ip: '10.0.0.2', weight: 1 },
  ],
})
const started = async (name: string, on?: MemoryBus): Promise<PaperEdge> => {
  const edge = paperEdge(name, desired, on)
  await edge.resources.obey([serveOrder(desired)])
  edge.hear({ n1: ready, n2: ready })
  await serves(edge, { n1: 2, n2: 2 })
  return edge
}
const serves = (edge: PaperEdge, expected: Readonly<Record<string, number>>): Promise<boolean> =>
  eventually(() => {
    expect(edge.serving()).toEqual(expected)
    return true as const
  })

test.each([
  ['userspace', false],
  ['envoy', false],
  ['kernel', true],
] as const)('%s serves without its node ports: %s', async (kind, isReached) => {
  const edge = paperEdge('edge-1', desired, undefined, kind)
  await edge.resources.obey([serveOrder(desired)])
  expect(edge.resources.holdings.get(desired.marks.key)?.reached).toBe(isReached)
})

test.each([
  ['the only edge of a fleet', true],
  ['an edge without a bus', false],
])('%s empties a set when each node itself said no', async (_who, hasBus) => {
  const edge = await started('edge-1', hasBus ? bus : undefined)
  edge.hear({ n1: no })
  await serves(edge, { n2: 2 })
  edge.hear({ n2: no })
  await serves(edge, {})
  edge.hear({ n1: ready })
  await serves(edge, { n1: 2 })
})

test('silence of a node keeps a set from being emptied, and nobody is asked', async () => {
  const edge = await started('edge-1')
  edge.hear({ n1: no })
  for (let each = 0; each < 3; each += 1) edge.hear({ n2: silent })
  await serves(edge, { n2: 2 })
})

test('an edge that nodes refuse serves those that another edge finds healthy, until it agrees', async () => {
  const [here, there] = [await started('edge-1', bus), await started('edge-2', bus)]
  here.hear({ n1: no, n2: no })
  there.hear({ n2: no })
  await serves(here, { n1: 2 })
  there.hear({ n1: { kind: 'ready', weight: 5 } })
  await serves(here, { n1: 5 })
  there.hear({ n1: no })
  await serves(here, {})
  await serves(there, {})
  expect(here.told.filter((each) => Object.keys(each).length === 0)).toHaveLength(1)
})

test('a set that was emptied while nobody could be asked is asked about again', async () => {
  const here = await started('edge-1', bus)
  here.hear({ n1: no, n2: no })
  await serves(here, {})
  await started('edge-2', bus)
  here.resources.doubtEmptied()
  await serves(here, { n1: 2, n2: 2 })
})

test('an edge that hears nothing has no word', async () => {
  const [here, there] = [await started('edge-1', bus), await started('edge-2', bus)]
  for (let each = 0; each < 2; each += 1) there.hear({ n1: silent, n2: silent })
  here.hear({ n1: no, n2: no })
  await serves(here, {})
  await serves(there, { n1: 2, n2: 2 })
})

test('a new order does not empty the set while the others are asked', async () => {
  const [here] = [await started('edge-1', bus), await started('edge-2', bus)]
  here.hear({ n1: no, n2: no })
  let asked = 0
  bus.onHint(edgeDoubtSubject(fleet), () => (asked += 1), life.signal)
  await here.resources.obey([serveOrder({ ...desired, generation: 2 })])
  await eventually(() => asked > 2)
  expect(here.told).not.toContainEqual({})
})

test('an order that lets every node drain empties the set at once', async () => {
  const [here] = [await started('edge-1', bus), await started('edge-2', bus)]
  const targets = desired.targets.map((target) => ({ ...target, weight: 0 }))
  await here.resources.obey([serveOrder({ ...desired, generation: 2, targets })])
  expect(here.serving()).toEqual({})
})

test('an address that cannot be announced is refused with the reason, and served once it is', async () => {
  let announced = (): void => undefined
  const heard = new Promise<void>((resolve) => (announced = resolve))
  let problem: string | undefined
  const herald: Herald = {
    lingerMs: 0,
    tell: (changes) => (changes.size === 0 ? Promise.resolve() : heard),
    problem: () => problem,
    close: () => Promise.resolve(),
  }
  const { resources, hear } = paperEdge('edge-1', desired, undefined, 'kernel', herald)
  await resources.restore()
  await resources.obey([serveOrder(desired)])
  hear({ n1: ready, n2: ready })
  const report = () => {
    const holding = resources.holdings.get(desired.marks.key)
    const context = { fleet, edge: edgeId.parse('edge-1'), healthOf: () => neverProbed, now: 0 }
    return holding && reportOf({ ...holding, disk: { status: 'saved' } }, context)
  }
  const says = (state: string | undefined, why: string | null | undefined) =>
    eventually(() => {
      const { state: now, problem: told } = report() ?? {}
      expect([now, told]).toEqual([state, why])
      return true as const
    })
  await says(undefined, undefined)
  problem = 'no router has a session with gobgpd'
  await says('refused', `203.0.113.10 can't be announced: ${problem}`)
  problem = undefined
  announced()
  await says('serving', null)
})
