import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { systemClock } from '@weir/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  createKernelEdges,
  desiredFor,
  everyFlow,
  serve,
  type KernelEdges,
} from '../../rig/kernel-edges.ts'
import { createLab, labProblem, vips, type Lab } from '../../rig/lab.ts'

const problem = await labProblem()
const kills = 20
const held = 100
const script = resolve(import.meta.dirname, '../../rig/restless-edge.ts')

describe.skipIf(problem !== undefined)(
  `a kernel edge whose agent is killed${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
    })
    afterEach(() => edges.clear())
    afterAll(() => lab.stop())

    const startAgent = async (): Promise<ChildProcess> => {
      const argv = ['netns', 'exec', lab.spaceOf('e1'), process.execPath, script]
      const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
      lab.endsWith(child)
      const [said] = await once(child.stdout, 'data')
      expect(String(said)).toBe('READY\n')
      return child
    }
    const kill = async (child: ChildProcess): Promise<void> => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    }

    test('at any moment of its changes: no flow fails, and the table is whole; IPv4, IPv6; TCP, UDP', async () => {
      let agent = await startAgent()
      const [four, six] = [await lab.hold(vips.IPv4, held), await lab.hold(vips.IPv6, held)]
      const knocking = await Promise.all(
        everyFlow.map(async (flow) => ({ ...flow, knocked: await lab.knock(flow) })),
      )
      for (let time = 0; time < kills; time += 1) {
        // Not to wait for anything: each time it is at another point of its transactions.
        await systemClock.sleep(40 + 7 * time)
        await kill(agent)
        agent = await startAgent()
      }
      await kill(agent)
      for (const { family, protocol, knocked } of knocking) {
        const { answered, failed } = await knocked.stop()
        expect(answered).toBeGreaterThan(kills)
        expect(failed, `${family} ${protocol}`).toEqual([])
      }
      expect([await four.alive(), await six.alive()]).toEqual([held, held])
      const plane = await edges.planeOn('e1')
      await serve(plane, desiredFor({ generation: 1_000_000 }))
      expect(await plane.verify()).toBe(0)
    }, 240_000)
  },
)
