import { expect } from 'vitest'
import { z } from 'zod'
import { tableName } from '../../services/edge/data-plane/kernel/skeleton.ts'
import { holds } from '../harness/holds.ts'
import { families } from './ground.ts'
import { edgeNames, type EdgeName, type KernelPlatform } from './kernel-platform.ts'
import { soon } from './places.ts'

const element = z.tuple([z.object({ concat: z.tuple([z.string(), z.number()]) }), z.string()])
const listing = z.object({
  nftables: z.array(z.object({ map: z.object({ elem: z.array(element) }).optional() })),
})

/** The slots of every set of an edge, whatever number the edge gave the set. */
const slotTables = async (platform: KernelPlatform, edge: EdgeName): Promise<readonly string[]> => {
  const argv = ['nft', '-j', 'list', 'map', 'netdev', tableName, 'slots']
  const { nftables } = listing.parse(JSON.parse(await platform.lab.on(edge)(argv)))
  const slots = nftables.flatMap(({ map }) => map?.elem ?? [])
  const sets = Map.groupBy(slots, ([{ concat }]) => concat[0])
  return [...sets.values()]
    .map((own) =>
      own
        .map(([{ concat }, mac]) => `${concat[1]} ${mac}`)
        .sort()
        .join(),
    )
    .sort()
}

/** Both edges have what the log has, and send every flow to the same of all these nodes, by their weights. */
export const agree = (platform: KernelPlatform, nodes = 'n1=1,n2=1,n3=1'): Promise<void> =>
  holds(async () => {
    const [one, other] = await Promise.all(edgeNames.map((edge) => slotTables(platform, edge)))
    expect(one).toEqual(other)
    const { said, code } = await platform.weir(['edge', 'verify'])
    expect([code, said]).toEqual([0, expect.stringMatching(/e1: \d[^]*e2: \d/)])
    const shown = await platform.weir(['edge', 'show'])
    const rows = shown.said.split('\n').filter((line) => /^e[12] /.test(line))
    expect(rows).toHaveLength(edgeNames.length * families.length)
    for (const row of rows) expect(row).toMatch(new RegExp(` serving .* ${nodes} +\\d+ *$`))
  }, soon)
