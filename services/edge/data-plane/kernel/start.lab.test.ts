import { OperatingError } from '@weir/kernel'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createKernelEdges, desiredFor, serve, type KernelEdges } from '../../rig/kernel-edges.ts'
import { createLab, labProblem, vips, type Lab } from '../../rig/lab.ts'
import type { RunProgram } from './run-program.ts'
import { scratchName } from './self-test.ts'

const problem = await labProblem()
/** Some 25,000 elements. */
const manyServices = 1500

describe.skipIf(problem !== undefined)(
  `the start of a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let lab: Lab
    let edges: KernelEdges
    const tables = () => lab.on('e1')(['nft', 'list', 'tables'])

    beforeAll(async () => {
      lab = await createLab()
      edges = createKernelEdges(lab)
      await lab.routeTo('e1')
    })
    afterEach(() => edges.clear())
    afterAll(() => lab.stop())

    test('tests nft and leaves nothing of that', async () => {
      await lab.on('e1')(['nft', 'add', 'table', 'netdev', scratchName])
      await edges.planeOn('e1')
      expect(await tables()).toBe('table netdev weir\n')
    })

    const isAbout = (argv: readonly string[], word: string): boolean => argv.includes(word)
    test.each<[string, (argv: readonly string[], saying: Promise<string>) => Promise<string>]>([
      [
        'does not know the rules',
        async (argv, saying) => {
          if (isAbout(argv, '-c')) throw new OperatingError('nft: syntax error')
          return saying
        },
      ],
      [
        'prints what cannot be read',
        async (argv, saying) => (isAbout(argv, 'slots') ? (await saying).slice(0, -20) : saying),
      ],
      [
        'prints something else than was written',
        async (argv, saying) =>
          isAbout(argv, 'inner') ? (await saying).replace('80', '20480') : saying,
      ],
      [
        'forgets something',
        async (argv, saying) =>
          isAbout(argv, 'nodes') ? (await saying).replace('"elem"', '"lost"') : saying,
      ],
      [
        'takes what is wrong for right',
        async (argv, saying) => (isAbout(argv, '-c') ? saying.catch(() => '') : saying),
      ],
    ])('names the version of an nft that %s, and touches nothing', async (_, spoil) => {
      const first = await edges.planeOn('e1')
      await serve(first)
      await first.close()
      const run: RunProgram = (argv, input) => spoil(argv, lab.on('e1')(argv, input))
      await expect(edges.planeOn('e1', { run })).rejects.toMatchObject({
        cause: expect.objectContaining({
          message: expect.stringMatching(/^nftables v\d.* does not take or give back the rules/),
        }),
      })
      expect(await tables()).toBe('table netdev weir\n')
      expect(await lab.ask({ protocol: 'TCP', address: vips.IPv4 })).toEqual([expect.any(String)])
    })

    test('loads many services in short transactions, and says of none that it serves before it does', async () => {
      const sizes: number[] = []
      const loaded = new Set<string>()
      const run: RunProgram = async (argv, input) => {
        const said = await lab.on('e1')(argv, input)
        const added = String(input ?? '').matchAll(/^add element netdev weir (\w+) \{ (.*) \}$/gm)
        const elements = [...added].flatMap(([, map = '', text = '']) =>
          text.split(', ').map((element) => `${map} ${element}`),
        )
        if (elements.length > 0) sizes.push(elements.length)
        for (const element of elements) loaded.add(element.replace(/ : .*/, ''))
        return said
      }
      const plane = await edges.planeOn('e1', { run })
      const desired = Array.from({ length: manyServices }, (_, number) => {
        const ip = `10.9.${Math.floor(number / 250)}.${1 + (number % 250)}`
        const uid = `5e1f0000-0000-4000-8000-${String(number).padStart(12, '0')}`
        const frontends = [80, 81, 443, 444].flatMap((port) =>
          ['TCP', 'UDP'].map((protocol) => ({ ip, protocol, port, nodePort: 30_080 })),
        )
        return desiredFor({ uid, frontends })
      })
      const early: string[] = []
      await Promise.all(
        desired.map(async (each) => {
          expect(await serve(plane, each)).toEqual({ status: 'serving' })
          for (const { ip, protocol, port } of each.frontends) {
            const key = `fe ${ip} . ${protocol === 'TCP' ? 6 : 17} . ${port}`
            if (!loaded.has(key)) early.push(key)
          }
        }),
      )
      expect(early).toEqual([])
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(manyServices * 16)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(20_000)
      expect(await plane.verify()).toBe(0)
    })
  },
)
