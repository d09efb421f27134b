import { table } from '../numbers.ts'
import {
  answeredByAll,
  between,
  completed,
  rowsOf,
  spreadOf,
  stagesFor,
  type Marks,
  type Spread,
} from './stages.ts'

/** What a run saw of each Service, and where. */
export interface Seen {
  readonly machine: string
  readonly edges: readonly string[]
  readonly nodes: readonly string[]
  readonly services: readonly Marks[]
}

const clock =
  'all times by the clock of this machine (CLOCK_REALTIME, whole ms): the log’s own (recordedtime), the agents’ (at), ' +
  'nft monitor for edges and nodes, the client’s for answers'

const text = ({ p50, p99, max }: Spread): readonly string[] =>
  [p50, p99, max].map((value) => value.toFixed(0))

/** The stages of all Services, and each aim with whether it was met; or the same as JSON. */
export const report = (seen: Seen, format: 'table' | 'json'): string => {
  const { machine, edges, nodes } = seen
  const services = seen.services.map((marks) => completed(marks, edges, nodes))
  const rows = rowsOf(stagesFor(edges, nodes), services)
  const verdicts = verdictsOf(services)
  if (format === 'json') {
    return JSON.stringify({ machine, clock, rows, verdicts, services }, undefined, 2)
  }
  const head = ['since create, ms', 'p50', 'p99', 'max', 'own p50', 'p99', 'max', 'of']
  const cells = rows.map(({ what, count, sinceCreate, own }) => [
    what,
    ...text(sinceCreate),
    ...text(own),
    `${count}`,
  ])
  return [machine, table([head, ...cells]), verdicts.join('\n'), clock].join('\n\n')
}

export const verdictsOf = (services: readonly Marks[]): readonly string[] => [
  verdict(services, 'FrontendsAllocated', 'shown', 'allocated to status shown'),
  verdict(services, 'FrontendsAllocated', answeredByAll, 'allocated to answered by all edges'),
]

const mostMs = 300

const verdict = (services: readonly Marks[], from: string, to: string, what: string): string => {
  const { p99 } = spreadOf(services.flatMap((marks) => between(marks, [from], to)))
  const met = p99 <= mostMs ? 'met' : 'not met'
  return `${what}, p99, ms: ${p99.toFixed(0)}; aim at most ${mostMs}: ${met}`
}
