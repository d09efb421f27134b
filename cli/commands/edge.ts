import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, bad, ok, show, tell, warn, type Format } from '../output.ts'

interface Flags {
  readonly output: Format
}

const resource = z.looseObject({
  marks: z.looseObject({ tenant: z.string(), service: z.string(), key: z.string() }),
  generation: z.int(),
  state: z.string(),
  problem: z.string().nullable(),
  frontends: z.array(z.object({ ip: z.string(), protocol: z.string(), port: z.int() })),
  targets: z.array(z.object({ node: z.string(), weight: z.number() })),
  flows: z.int().nullable(),
  differs: z.string().nullable(),
})
const edge = z.looseObject({
  fleet: z.string(),
  edge: z.string(),
  dataPlane: z.string(),
  answered: z.boolean(),
  repaired: z.looseObject({ elements: z.int(), examples: z.array(z.string()) }).nullable(),
  problem: z.string().nullable(),
  returns: z.array(
    z.looseObject({
      cluster: z.string(),
      silent: z.array(z.looseObject({ node: z.string(), frontend: z.string() })),
    }),
  ),
  expected: z.int().nullable(),
  resources: z.array(resource),
})
type Edge = z.infer<typeof edge>
const inspected = z.object({ items: z.array(edge) })

const ask = async (client: ApiClient, name: string | undefined, compare: boolean) => {
  const patience = 'the edges look at their tables; 50,000 frontends take half a minute'
  const telling = setTimeout(() => tell(patience), 3000)
  const asking = client.send('POST', '/v1/edges/inspection', { compare }, inspected)
  const { items } = await asking.finally(() => clearTimeout(telling))
  const chosen = name === undefined ? items : items.filter((each) => each.edge === name)
  if (name === undefined || chosen.length > 0) return chosen
  const known = items.map((each) => each.edge).join(', ') || 'none'
  throw new CommandFailed('notFound', `there is no edge ${name}`, `known edges: ${known}`)
}

/** Shows what each edge serves now, in its own words. */
export const edgeShow = async (
  client: ApiClient,
  name: string | undefined,
  flags: Flags,
): Promise<void> => {
  const edges = await ask(client, name, false)
  if (flags.output === 'table') edges.forEach(tellTrouble)
  const rows = edges.flatMap((each) =>
    each.resources.map((held) => ({ ...held, edge: each.edge, fleet: each.fleet })),
  )
  show(flags.output, { items: edges }, rows, [
    { heading: 'EDGE', cell: (row) => row.edge },
    { heading: 'FLEET', cell: (row) => row.fleet },
    { heading: 'TENANT', cell: (row) => row.marks.tenant },
    { heading: 'RESOURCE', cell: (row) => row.marks.key },
    { heading: 'GENERATION', cell: (row) => String(row.generation) },
    { heading: 'STATE', cell: (row) => row.state },
    { heading: 'FRONTENDS', cell: (row) => row.frontends.map(frontendText).join(',') },
    {
      heading: 'NODES',
      cell: (row) =>
        row.targets.map(({ node, weight }) => `${node}=${weight}`).join(',') || '<none>',
    },
    { heading: 'FLOWS', cell: (row) => (row.flows === null ? '' : String(row.flows)) },
    { heading: 'PROBLEM', cell: (row) => row.problem ?? '' },
  ])
}

/**
 * Compares what forwards packets at each edge with what the edge made, and what the edge holds with the log.
 * @throws CommandFailed when anything differed, also when it is made good already
 */
export const edgeVerify = async (
  client: ApiClient,
  name: string | undefined,
  flags: Flags,
): Promise<void> => {
  const edges = await ask(client, name, true)
  answer(flags.output, { items: edges }, () => edges.forEach(tellVerdict))
  const wrong = edges.filter((each) => !isRight(each))
  if (wrong.length === 0) return
  throw new CommandFailed(
    'failed',
    `not as it should be: ${wrong.map((each) => each.edge).join(', ')}`,
  )
}

const isRight = (each: Edge): boolean =>
  each.answered && each.problem === null && each.repaired === null && differences(each).length === 0

const differences = ({ resources, expected }: Edge): readonly string[] => {
  const held = resources.flatMap(({ marks, differs }) =>
    differs === null ? [] : [`${marks.key}: ${differs}`],
  )
  if (expected === null || expected === resources.length) return held
  return [...held, `it holds ${resources.length} resources, and the log expects ${expected}`]
}

const tellVerdict = (each: Edge): void => {
  tellTrouble(each)
  for (const text of differences(each)) bad(`${each.edge}: ${text}`)
  if (isRight(each)) ok(`${each.edge}: ${each.resources.length} resources, each as the log has it`)
}

const tellTrouble = ({ edge: name, answered, problem, repaired, returns }: Edge): void => {
  if (!answered) return bad(`${name}: no answer`)
  for (const { cluster, silent } of returns) {
    for (const { node, frontend } of silent) {
      bad(`${name}: node ${node} of cluster ${cluster} does not answer clients as ${frontend}`)
    }
  }
  if (problem !== null) bad(`${name}: ${problem}`)
  if (repaired === null) return undefined
  warn(`${name}: ${repaired.elements} elements of its table differed and are made good`)
  for (const example of repaired.examples) tell(`  ${example}`)
}

const frontendText = ({ ip, protocol, port }: Edge['resources'][number]['frontends'][number]) =>
  `${ip.includes(':') ? `[${ip}]` : ip}:${port}/${protocol}`
