import type { DesiredResource } from '@weir/contract'
import { OperatingError, silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createKernelPlane } from '../data-plane/kernel/kernel-plane.ts'
import type { RunProgram } from '../data-plane/kernel/run-program.ts'
import { marksOf } from '../domain/decide.ts'
import { neverProbed, type NodeHealth } from '../domain/health.ts'
import { createResources } from '../resources.ts'
import { bgpProblem, holdSeconds, startBgp, type LabBgp, type LabEdge } from '../rig/bgp.ts'
import { addressOf, createLab, labProblem, vipPort, vips, type Lab } from '../rig/lab.ts'
import { desiredOf, removeOrder, serveOrder, type Wish } from '../rig/orders.ts'
import { openOrderJournal } from '../state/order-journal.ts'
import { createBgpHerald } from './bgp-herald.ts'
import { connectGobgp } from './gobgp.ts'

const problem = (await labProblem()) ?? (await bgpProblem())
const both = Object.values(vips)
const desiredFor = (over: Partial<Wish> = {}): DesiredResource =>
  desiredOf({
    uid: '5e1f0000-0000-4000-8000-000000000001',
    policy: 'Local',
    frontends: both.map((ip) => ({ ip, protocol: 'TCP', port: vipPort, nodePort: 30_080 })),
    targets: (['n1', 'n2'] as const).map((node) => ({
      node,
      ip: addressOf(node).IPv4,
      weight: 1,
    })),
    ...over,
  })
const notReady: NodeHealth = {
  ...neverProbed,
  state: 'unhealthy',
  weight: 0,
  lastWord: 'not-ready',
}

/** What an agent has but for its bus and its probes: health is what the test says. */
const startEdge = async (lab: Lab, bgp: LabBgp, edge: LabEdge, folder: string) => {
  const life = new AbortController()
  const ports = { clock: systemClock, ids: systemIds, log: silentLogger }
  const harm = { nft: false, beforeDelete: () => Promise.resolve() }
  const run: RunProgram = async (argv, input) => {
    if (harm.nft && argv[0] === 'nft') throw new OperatingError('nft: no memory')
    if (String(input).includes('delete element')) await harm.beforeDelete()
    return lab.on(edge)(argv, input)
  }
  const options = { device: 'eth0', drainMs: 60_000, run, ...ports }
  const plane = await createKernelPlane({ ...options, lookMs: 100, verifyMs: 500 })
  const herald = createBgpHerald({
    gobgp: connectGobgp({ address: bgp.apiOf(edge), now: () => systemClock.now() }),
    nextHops: { IPv4: '0.0.0.0', IPv6: addressOf(edge).IPv6 },
    communities: [4_227_858_532],
    ...ports,
  })
  const journal = await openOrderJournal(join(folder, edge), silentLogger)
  let health = neverProbed
  const resources = createResources({
    ...ports,
    plane,
    herald,
    journal,
    prober: { watch: () => undefined, healthOf: () => health, close: () => undefined },
    second: { ask: () => Promise.resolve([]) },
    waitingRoom: { answered: () => Promise.resolve() },
    portsMs: 0,
    signal: life.signal,
    onChange: () => undefined,
  })
  await resources.restore()
  return {
    harm,
    herald,
    resources,
    sees: (now: NodeHealth) => {
      health = now
      resources.reweigh(resources.holdings.keys())
    },
    stop: async () => {
      life.abort()
      await resources.close()
      await plane.close()
      await journal.close()
    },
  }
}
type Edge = Awaited<ReturnType<typeof startEdge>>

/** What changes in the routes of the lab's router, line by line, until it ends. */
const watchRoutes = (lab: Lab) => {
  const child = spawn('ip', ['-n', lab.spaceOf('router'), 'monitor', 'route'])
  lab.endsWith(child)
  const said: string[] = []
  child.stdout.on('data', (chunk: Buffer) => said.push(...String(chunk).split('\n')))
  return () => {
    child.kill('SIGKILL')
    return said
  }
}

describe.skipIf(problem !== undefined)(
  `addresses announced by BGP${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let bgp: LabBgp
    let folder: string
    let edges: Edge[] = []

    const start = async (edge: LabEdge): Promise<Edge> => {
      const started = await startEdge(lab, bgp, edge, folder)
      edges.push(started)
      return started
    }
    const startBoth = () => Promise.all([start('e1'), start('e2')])
    const routed = (expected: readonly LabEdge[], deadlineMs = 10_000) =>
      eventually(
        async () => {
          for (const address of both) expect(await bgp.routesTo(address)).toEqual(expected)
          return true
        },
        { deadlineMs },
      )
    const ask = (count = 1) => lab.ask({ protocol: 'TCP', address: vips.IPv4, count })

    beforeAll(async () => {
      lab = await createLab()
      bgp = await startBgp(lab)
    })
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'weir-announce-'))
    })
    afterEach(async () => {
      for (const edge of edges) {
        edge.harm.nft = false
        await edge.resources.obey([removeOrder(desiredFor({ generation: 99 }))])
        await edge.stop()
      }
      edges = []
      await routed([])
      await rm(folder, { recursive: true, force: true })
      for (const edge of ['e1', 'e2'] as const) await lab.on(edge)(['nft', 'flush', 'ruleset'])
    })
    afterAll(async () => {
      await bgp.stop()
      await lab.stop()
    })

    test('an address is announced once it is served, alike by every edge, and withdrawn with its order; IPv4, IPv6', async () => {
      const [e1, e2] = await startBoth()
      await e1.resources.obey([serveOrder(desiredFor())])
      await routed(['e1'])
      expect(await ask()).toEqual([expect.any(String)])
      await e2.resources.obey([serveOrder(desiredFor())])
      await routed(['e1', 'e2'])
      expect(await ask(20)).not.toContain(null)
      expect([e1.herald.problem(), e2.herald.problem()]).toEqual([undefined, undefined])
      await e2.resources.obey([removeOrder(desiredFor())])
      await routed(['e1'])
    })

    test('it is withdrawn before it is closed: no connection fails while one edge of two gives it up; IPv4; TCP', async () => {
      const [e1, e2] = await startBoth()
      for (const edge of [e1, e2]) await edge.resources.obey([serveOrder(desiredFor())])
      await routed(['e1', 'e2'])
      const held = await lab.hold(vips.IPv4, 40)
      const asking = ask(300)
      const routes: (readonly LabEdge[])[] = []
      e1.harm.beforeDelete = async () => void routes.push(await bgp.routesTo(vips.IPv4))
      await e1.resources.obey([removeOrder(desiredFor())])
      // Whatever takes it away, in however many steps, comes after the router's word.
      expect(routes.length).toBeGreaterThan(0)
      for (const route of routes) expect(route).toEqual(['e2'])
      expect((await asking).filter((answer) => answer === null)).toEqual([])
      expect(await held.alive()).toBe(40)
    })

    test('without a ready node it is withdrawn after a while, and announced as soon as there is one; IPv4, IPv6', async () => {
      const edge = await start('e1')
      edge.sees(notReady)
      await edge.resources.obey([serveOrder(desiredFor())])
      expect([...edge.resources.holdings.values()].map(({ told }) => told)).toEqual([true])
      expect(await bgp.routesTo(vips.IPv4)).toEqual([])
      edge.sees(neverProbed)
      await routed(['e1'])
      const before = systemClock.now()
      edge.sees(notReady)
      await routed([])
      expect(systemClock.now() - before).toBeGreaterThan(4_500)
    })

    test('an edge that cannot look at its own table withdraws what it announced; IPv4, IPv6', async () => {
      const [e1, e2] = await startBoth()
      for (const edge of [e1, e2]) await edge.resources.obey([serveOrder(desiredFor())])
      await routed(['e1', 'e2'])
      e1.harm.nft = true
      await routed(['e2'])
      e1.harm.nft = false
      await routed(['e1', 'e2'])
    })

    test('a gobgpd that died is told everything when it is back; IPv4, IPv6', async () => {
      const edge = await start('e1')
      await edge.resources.obey([serveOrder(desiredFor())])
      await routed(['e1'])
      await bgp.kill('e1')
      await routed([])
      await eventually(() => edge.herald.problem() !== undefined)
      const late = desiredFor({ generation: 2 })
      await edge.resources.obey([serveOrder(late)])
      await bgp.start('e1')
      await routed(['e1'])
      await eventually(() => edge.herald.problem() === undefined)
    })

    test('a resource is not said to be served before its address is announced; IPv4', async () => {
      const edge = await start('e1')
      await bgp.kill('e1')
      await edge.resources.obey([serveOrder(desiredFor())])
      const holding = () => edge.resources.holdings.get(marksOf(serveOrder(desiredFor())).key)
      expect(holding()).toMatchObject({ outcome: { status: 'serving' }, told: false })
      await bgp.start('e1')
      await eventually(() => holding()?.told)
      expect(await bgp.routesTo(vips.IPv4)).toEqual(['e1'])
    })

    test('an agent that starts anew goes on with what is announced, and withdraws what is not its any more; IPv4', async () => {
      const first = await start('e1')
      const other = desiredFor({
        uid: '5e1f0000-0000-4000-8000-000000000002',
        frontends: [{ ip: '203.0.113.11', protocol: 'TCP', port: vipPort, nodePort: 30_081 }],
      })
      await first.resources.obey([serveOrder(desiredFor()), serveOrder(other)])
      await routed(['e1'])
      expect(await bgp.routesTo('203.0.113.11')).toEqual(['e1'])
      await first.stop()
      edges = []
      expect(await bgp.routesTo(vips.IPv4)).toEqual(['e1'])
      const journal = await openOrderJournal(join(folder, 'e1'), silentLogger)
      await journal.record([removeOrder(other)])
      await journal.close()
      const changes = watchRoutes(lab)
      await start('e1')
      await eventually(async () => (await bgp.routesTo('203.0.113.11')).length === 0)
      expect(await bgp.routesTo(vips.IPv4)).toEqual(['e1'])
      expect(changes().filter((line) => both.some((ip) => line.includes(ip)))).toEqual([])
    })

    test('an edge that falls silent is left out within the hold time and a second; IPv4, IPv6', async () => {
      const [e1, e2] = await startBoth()
      for (const edge of [e1, e2]) await edge.resources.obey([serveOrder(desiredFor())])
      await routed(['e1', 'e2'])
      const held = await lab.hold(vips.IPv4, 40)
      await lab.on('switch')(['ip', 'link', 'set', 'e1', 'down'])
      const silentAt = systemClock.now()
      try {
        await routed(['e2'])
        expect(systemClock.now() - silentAt).toBeLessThan((holdSeconds + 1) * 1_000)
        expect(await ask(10)).not.toContain(null)
        expect(await held.alive()).toBe(40)
      } finally {
        await lab.on('switch')(['ip', 'link', 'set', 'e1', 'up'])
      }
      await routed(['e1', 'e2'])
    })
  },
)
