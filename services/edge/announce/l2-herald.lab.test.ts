import { ipAddress } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { spawn } from 'node:child_process'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readOwnMac } from '../data-plane/kernel/neighbours.ts'
import { runProgram } from '../data-plane/kernel/run-program.ts'
import { createKernelEdges, serve, type EdgeHost, type KernelEdges } from '../rig/kernel-edges.ts'
import { addressOf, createLab, labProblem, pools, vipPort, vips, type Lab } from '../rig/lab.ts'
import type { Herald } from './herald.ts'
import { createL2Herald } from './l2-herald.ts'
import { createSegmentTable } from './segment-table.ts'

const socatProblem = async (): Promise<string | undefined> => {
  try {
    await runProgram(['socat', '-V'])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
const problem = (await labProblem()) ?? (await socatProblem())
const both = Object.values(vips).map((ip) => ipAddress.parse(ip))
const edges = ['e1', 'e2'] as const

describe.skipIf(problem !== undefined)(
  `addresses announced on a segment${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let planes: KernelEdges
    const macs = new Map<EdgeHost, string>()
    const heralds = new Map<EdgeHost, Herald>()

    /** An edge that serves and announces both addresses, or only has the interface. */
    const start = async (edge: EdgeHost): Promise<Herald> => {
      const options = { device: 'eth0', run: lab.on(edge), clock: systemClock, log: silentLogger }
      const herald = await createL2Herald(options)
      heralds.set(edge, herald)
      return herald
    }
    const announce = (herald: Herald, announced = true) =>
      herald.tell(new Map(both.map((ip) => [ip, announced])))
    const startBoth = async (): Promise<void> => {
      for (const edge of edges) await serve(await planes.planeOn(edge))
      await Promise.all(edges.map(async (edge) => announce(await start(edge))))
    }
    /** The edges whose kernel answers for an address. */
    const answering = async (ip: (typeof both)[number]): Promise<readonly EdgeHost[]> => {
      const reads = edges.map(async (edge) => {
        const table = createSegmentTable(lab.on(edge), 'eth0', macs.get(edge) ?? '')
        return (await table.read()).answered.has(ip) ? [edge] : []
      })
      return (await Promise.all(reads)).flat()
    }
    /** Whether an edge heard another claim an address in the last seconds. */
    const heardBy = async (edge: EdgeHost, ip: (typeof both)[number]): Promise<boolean> =>
      (await createSegmentTable(lab.on(edge), 'eth0', macs.get(edge) ?? '').read()).heard.has(ip)
    /** The one edge that answers for an address, and the MAC address that the router is told by it. */
    const ownerOf = (ip: (typeof both)[number], deadlineMs = 10_000): Promise<EdgeHost> =>
      eventually(
        async () => {
          const [owner, ...others] = await answering(ip)
          expect(others).toEqual([])
          await lab.on('router')(['ip', 'neigh', 'flush', 'dev', 'eth1', 'to', ip])
          expect(await lab.ask({ protocol: 'TCP', address: ip })).toEqual([expect.any(String)])
          const known = await lab.on('router')(['ip', 'neigh', 'show', 'to', ip])
          expect(owner !== undefined && known.includes(macs.get(owner) ?? 'nobody')).toBe(true)
          return owner
        },
        { deadlineMs },
      )

    beforeAll(async () => {
      lab = await createLab()
      planes = createKernelEdges(lab)
      for (const edge of edges) macs.set(edge, await readOwnMac(lab.on(edge), 'eth0'))
      for (const pool of Object.values(pools)) {
        await lab.on('router')(['ip', 'route', 'replace', pool, 'dev', 'eth1'])
      }
    })
    afterEach(async () => {
      await Promise.all(
        [...heralds.values()].map(async (herald) => {
          await announce(herald, false)
          await herald.close()
        }),
      )
      heralds.clear()
      await planes.clear()
    })
    afterAll(() => lab.stop())

    test('each address has one owner among the edges that serve it, who answers for it; IPv4, IPv6; TCP', async () => {
      await startBoth()
      for (const ip of both) expect(edges).toContain(await ownerOf(ip))
      for (const herald of heralds.values()) expect(herald.problem()).toBeUndefined()
    })

    test('nobody answers for what is withdrawn, and the other edge takes over; IPv4', async () => {
      await startBoth()
      const [ip] = both
      const owner = ip && (await ownerOf(ip))
      const herald = owner && heralds.get(owner)
      await herald?.tell(new Map(both.map((each) => [each, false])))
      if (ip) expect(await ownerOf(ip)).not.toBe(owner)
      expect(owner && (await lab.on(owner)(['ip', 'addr', 'show', 'dev', 'eth0']))).not.toContain(
        ip,
      )
    })

    test('when the owner falls silent the other takes over, and live connections go on; IPv4, IPv6; TCP', async () => {
      await startBoth()
      const held = await lab.hold(vips.IPv4, 20)
      const owner = await ownerOf(both[0] ?? ipAddress.parse(vips.IPv4))
      await lab.on('switch')(['ip', 'link', 'set', owner, 'down'])
      const silentAt = systemClock.now()
      try {
        const other = edges.find((edge) => edge !== owner)
        await eventually(async () => {
          for (const ip of both) expect(await answering(ip)).toContain(other)
          return true
        })
        expect(systemClock.now() - silentAt).toBeLessThan(10_000)
        for (const address of both) {
          expect(await lab.ask({ protocol: 'TCP', address, count: 3 })).not.toContain(null)
        }
        expect(await held.alive()).toBe(20)
      } finally {
        await lab.on('switch')(['ip', 'link', 'set', owner, 'up'])
      }
      for (const ip of both) await ownerOf(ip, 20_000)
    })

    test('an agent that died is replaced: its kernel answers until the claim of another, and then no more; IPv4', async () => {
      await startBoth()
      const ip = both[0] ?? ipAddress.parse(vips.IPv4)
      // Two that claim at once are silent for a moment; then one hears the other and leaves it to that.
      await eventually(async () => !(await heardBy(await ownerOf(ip), ip)))
      const owner = await ownerOf(ip)
      const other = edges.find((edge) => edge !== owner) ?? owner
      await eventually(() => heardBy(other, ip))
      await heralds.get(owner)?.close()
      heralds.delete(owner)
      expect(await answering(ip)).toEqual([owner])
      await eventually(async () => !(await answering(ip)).includes(owner))
      expect(await ownerOf(ip)).not.toBe(owner)
      await announce(await start(owner))
      expect(await ownerOf(ip)).not.toBe(owner)
    })

    test('an agent that starts anew at once goes on with what its kernel answers for; IPv4', async () => {
      await startBoth()
      const ip = both[0] ?? ipAddress.parse(vips.IPv4)
      // Two that claim at once are silent for a moment; then one hears the other and leaves it to that.
      await eventually(async () => !(await heardBy(await ownerOf(ip), ip)))
      const owner = await ownerOf(ip)
      const other = edges.find((edge) => edge !== owner) ?? owner
      await eventually(() => heardBy(other, ip))
      await heralds.get(owner)?.close()
      await announce(await start(owner))
      expect(await answering(ip)).toEqual([owner])
    })

    test('local programs of an edge do not answer on its addresses; IPv4, IPv6; TCP', async () => {
      const listen = `TCP6-LISTEN:${vipPort},fork,reuseaddr,ipv6only=0`
      const argv = ['netns', 'exec', lab.spaceOf('e1'), 'socat', listen, 'SYSTEM:echo local']
      const local = spawn('ip', argv)
      lab.endsWith(local)
      for (const via of Object.values(addressOf('router'))) {
        await lab.on('e1')(['ip', 'route', 'replace', 'default', 'via', via])
      }
      await announce(await start('e1'))
      expect(await answering(both[0] ?? ipAddress.parse(vips.IPv4))).toEqual(['e1'])
      for (const address of both) {
        expect(await lab.ask({ protocol: 'TCP', address })).toEqual([null])
      }
      local.kill('SIGKILL')
    })
  },
)
