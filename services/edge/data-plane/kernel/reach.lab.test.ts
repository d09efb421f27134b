import { eventually } from '@weir/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { tunnelMacOf } from '../../domain/tunnel-mac.ts'
import {
  createKernelEdges,
  desiredFor,
  everyFlow,
  nodesOf,
  serve,
  targetOf,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import {
  addressOf,
  clientAddresses,
  createLab,
  farAddress,
  labProblem,
  vips,
  type Lab,
} from '../../rig/lab.ts'

const problem = await labProblem()
const far = { node: 'far', ip: farAddress, weight: 1 }
const vxlan = { vni: 7 }

describe.skipIf(problem !== undefined)(
  `nodes of a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    const on = (host: 'far' | 'e1' | 'e2', line: string) => lab.on(host)(['ip', ...line.split(' ')])

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      for (const edge of ['e1', 'e2'] as const) await on(edge, 'route add default via 10.0.0.1')
      // What the README asks of a node that is reached by VXLAN.
      await on(
        'far',
        `link add weir7 address ${tunnelMacOf(farAddress)} type vxlan id 7 dstport 4789`,
      )
      await on('far', 'link set weir7 up')
    })
    beforeEach(() => lab.routeTo('e1'))
    afterEach(async () => {
      await edges.clear()
      for (const edge of ['e1', 'e2'] as const) {
        await on(edge, 'link del weirvx7').catch(() => undefined)
      }
    })
    afterAll(() => lab.stop())

    test.each(everyFlow)(
      'on another segment are reached by VXLAN, beside those here, $protocol over $family',
      async ({ family, protocol, address }) => {
        const plane = await edges.planeOn('e1', { vxlan })
        const desired = desiredFor({ targets: [targetOf('n1'), far] })
        expect(await serve(plane, desired)).toEqual({ status: 'serving' })
        const answers = await lab.ask({ protocol, address, count: 30 })
        const expected = ['n1', 'far'].map((node) => `${node} ${clientAddresses[family]}`)
        expect(new Set(answers)).toEqual(new Set(expected))
      },
    )

    test.each(everyFlow)(
      'behind VXLAN take packets as big as the client’s link, $protocol over $family',
      async ({ family, protocol, address }) => {
        await serve(await edges.planeOn('e1', { vxlan }), desiredFor({ targets: [far] }))
        const header = family === 'IPv4' ? 28 : 48
        const size = protocol === 'TCP' ? 300_000 : 1500 - header
        const answers = await lab.ask({ protocol, address, count: 3, bytes: size, sends: size })
        expect(nodesOf(answers)).toEqual(new Set(['far']))
      },
    )

    test('behind VXLAN keep their connections when the flow changes the edge or the agent; IPv4; TCP', async () => {
      const desired = desiredFor({ targets: [targetOf('n1'), far] })
      const one = await edges.planeOn('e1', { vxlan })
      await Promise.all([serve(one, desired), serve(await edges.planeOn('e2', { vxlan }), desired)])
      const held = await lab.hold(vips.IPv4, 40)
      expect(nodesOf(held.answers)).toEqual(new Set(['n1', 'far']))
      await lab.routeTo('e2')
      expect(await held.alive()).toBe(40)
      await lab.routeTo('e1')
      await one.close()
      const next = await edges.planeOn('e1', { vxlan })
      expect(await serve(next, desired)).toEqual({ status: 'serving' })
      expect(await next.verify()).toBe(0)
      expect(await held.alive()).toBe(40)
    })

    test('on another segment are refused by name without VXLAN, and the others serve; IPv4; TCP', async () => {
      const plane = await edges.planeOn('e1')
      const outcome = await serve(plane, desiredFor({ targets: [targetOf('n1'), far] }))
      expect(outcome).toMatchObject({
        status: 'refused',
        problem: `node far (${farAddress}) is not on the segment of eth0, and WEIR_EDGE_VXLAN_VNI is not set`,
      })
      const answers = await lab.ask({ protocol: 'TCP', address: vips.IPv4, count: 10 })
      expect(nodesOf(answers)).toEqual(new Set(['n1']))
    })

    test('that were lost with a link are named when the edge is asked, and found again', async () => {
      // No look of its own comes before it is asked.
      const plane = await edges.planeOn('e1', { lookMs: 600_000 })
      expect(await serve(plane)).toEqual({ status: 'serving' })
      expect((await plane.inspect()).problem).toBeNull()
      await lab.on('switch')(['ip', 'link', 'set', 'e1', 'down'])
      await on('e1', 'neigh flush dev eth0')
      expect((await plane.inspect()).problem).toBe(
        'node n1 (10.0.0.21) does not answer on eth0; node n2 (10.0.0.22) does not answer on eth0',
      )
      await lab.on('switch')(['ip', 'link', 'set', 'e1', 'up'])
      await eventually(async () => expect((await plane.inspect()).problem).toBeNull(), {
        deadlineMs: 20_000,
      })
      const answers = await lab.ask({ protocol: 'TCP', address: vips.IPv4, count: 30 })
      expect(nodesOf(answers)).toEqual(new Set(['n1', 'n2']))
    })

    test.each([
      ['of this edge, IPv4', addressOf('e1').IPv4, 'has an address of this edge'],
      [
        'of another edge, IPv4',
        addressOf('e2').IPv4,
        'has the address of a router or another edge',
      ],
      [
        'of another edge, IPv6',
        addressOf('e2').IPv6,
        'answers with the MAC address of an edge or a router',
      ],
      [
        'of the router, IPv4',
        addressOf('router').IPv4,
        'has the address of a router or another edge',
      ],
      [
        'of the router, IPv6',
        addressOf('router').IPv6,
        'answers with the MAC address of an edge or a router',
      ],
      ['of a load balancer, IPv4', vips.IPv4, 'has the address of a load balancer'],
      ['of the machine itself, IPv4', '127.0.0.1', 'has an address of this edge'],
      ['of everybody, IPv4', '10.0.0.255', 'has a broadcast address'],
      ['of a group, IPv4', '224.0.0.5', 'has a multicast address'],
      ['that counts on one link only, IPv4', '169.254.169.254', 'has a link-local address'],
    ])('that claim an address %s are refused, and the others serve', async (_, ip, why) => {
      const peers = [addressOf('e1').IPv4, addressOf('e2').IPv4]
      const plane = await edges.planeOn('e1', { vxlan, peers })
      const hostile = { node: 'hostile', ip, weight: 1 }
      const outcome = await serve(plane, desiredFor({ targets: [targetOf('n1'), hostile] }))
      expect(outcome).toMatchObject({
        status: 'refused',
        problem: `node hostile (${ip}) ${why}`,
        served: { nodes: 1 },
      })
      const answers = await lab.ask({ protocol: 'UDP', address: vips.IPv4, count: 10 })
      expect(nodesOf(answers)).toEqual(new Set(['n1']))
    })
  },
)
