import type { DesiredResource, ResourceFrontend } from '@weir/contract'
import { expect } from 'vitest'
import type { Serving } from '../../libs/drivers/driver.conformance.ts'
import type { RunProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import { tableName } from '../../services/edge/data-plane/kernel/skeleton.ts'
import { mapNames } from '../../services/edge/domain/forwarding-elements.ts'
import { weightsOf } from './shares.ts'
import type { StandinNodes } from './standin-nodes.ts'

export interface ByTable {
  readonly nodes: StandinNodes
  /** Runs a program on the edge. */
  readonly run: RunProgram
  /** The addresses of the nodes, by their MAC addresses. */
  readonly ipByMac: ReadonlyMap<string, string>
}

/** The elements of a set or map as text; the values of a set are empty. */
type Elements = ReadonlyMap<string, string>

/**
 * What a kernel does for the resources that its edge holds, from the text that `nft list` prints of the table:
 * frontends lead to a service, a service to its ranges, to whether its clients stay, and to a set, and the
 * slots of a set to nodes. Which nodes are asked for their health is seen at the nodes. The marks alone are
 * as ordered.
 */
export const readTable = async (
  { nodes, run, ipByMac }: ByTable,
  held: readonly DesiredResource[],
): Promise<readonly Serving[]> => {
  const of = await listed(run)
  const open = openIn(of)
  const served: Serving[] = []
  for (const desired of held) {
    const { marks, generation } = desired
    const mine = desired.frontends.filter((at) => open.has(keyOf(at)))
    const ids = new Set(mine.map((at) => open.get(keyOf(at)) ?? ''))
    expect(ids.size).toBeLessThanOrEqual(1)
    const [id = ''] = ids
    const reached = reachedBy(of, id, ipByMac)
    served.push({
      installation: marks.installation,
      key: marks.key,
      epoch: marks.epoch,
      generation,
      frontends: mine.map(({ protocol, port }) => ({ protocol, port })),
      targets: mine.flatMap(() =>
        weightsOf(reached, desired.targets).map((node) => ({ ...node, nodePort: null })),
      ),
      sourceRanges: of('restricted').has(id) ? rangesOf(of, id) : [],
      health: await nodes.askedBy(desired),
      proxyProtocol: 'none',
      affinity: of('sticky').has(id) ? 'ClientIP' : 'None',
    })
  }
  return served
}

/** Open frontends of nobody; of an edge that holds nothing, every element. */
export const leftInTable = async (
  { run }: Pick<ByTable, 'run'>,
  held: readonly DesiredResource[],
): Promise<readonly string[]> => {
  const of = await listed(run)
  if (held.length === 0) return mapNames.flatMap((name) => [...of(name).keys()])
  const ordered = new Set(held.flatMap(({ frontends }) => frontends.map(keyOf)))
  return [...openIn(of).keys()].filter((key) => !ordered.has(key))
}

/** The elements of a set or map by its name. */
type Table = (name: string) => Elements

const listed = async (run: RunProgram): Promise<Table> => {
  const maps = elementsOf(await run(['nft', '-n', 'list', 'table', 'netdev', tableName]))
  for (const name of mapNames) expect([...maps.keys()]).toContain(name)
  return (name) => maps.get(name) ?? new Map()
}

/** Frontends that take new flows, and their services. */
const openIn = (of: Table): Elements => {
  const closing = new Set([...of('closing').keys(), ...of('closing6').keys()])
  return new Map([...of('fe'), ...of('fe6')].filter(([key]) => !closing.has(key)))
}

const numbers: Readonly<Record<string, number>> = { TCP: 6, UDP: 17 }
const keyOf = ({ ip, protocol, port }: ResourceFrontend): string =>
  `${ip} . ${numbers[protocol] ?? 0} . ${port}`

/** How many slots of a service's set lead to each node. */
const reachedBy = (
  of: Table,
  service: string,
  ipByMac: ByTable['ipByMac'],
): ReadonlyMap<string, number> => {
  const sets = ['pool61', 'pool1021', 'pool65537'].flatMap((name) => of(name).get(service) ?? [])
  expect(sets.length).toBeLessThanOrEqual(1)
  const counted = new Map<string, number>()
  for (const [key, mac] of of('slots')) {
    if (key.split(' . ')[0] !== sets[0]) continue
    const ip = ipByMac.get(mac) ?? mac
    counted.set(ip, (counted.get(ip) ?? 0) + 1)
  }
  return counted
}

const rangesOf = (of: Table, service: string): readonly string[] =>
  [...of('allow').keys(), ...of('allow6').keys()]
    .map((key) => key.split(' . '))
    .flatMap(([id, range = '']) => (id === service ? [range] : []))

/** The elements of every set and map but those that packets fill. */
const elementsOf = (text: string): ReadonlyMap<string, Elements> => {
  const blocks = text.matchAll(/^\t(?:set|map) (\w+) \{\n(.*?)^\t\}/gms)
  return new Map(
    [...blocks].flatMap(([, name = '', body = '']) => {
      if (name === 'pinned' || name === 'clients') return []
      const listed = /elements = \{(.*?)\}/s.exec(body)?.[1] ?? ''
      const elements = listed
        .split(',')
        .map((element) => element.trim())
        .filter((element) => element !== '')
        .map((element) => element.split(' : '))
      return [[name, new Map(elements.map(([key = '', value = '']) => [key, value]))] as const]
    }),
  )
}
