import { quantile } from '../numbers.ts'

/** When what happened to one Service, in milliseconds since the Unix epoch. */
export type Marks = Readonly<Record<string, number>>

/** One step on the way of a Service to its first packet. */
export interface Stage {
  readonly mark: string
  /** What has happened by then, for people. */
  readonly what: string
  /** What it waits for; its own time begins with the last of these. Empty for the first. */
  readonly after: readonly string[]
}

/** Milliseconds; quantiles over the Services that have the mark. */
export interface Row {
  readonly what: string
  readonly count: number
  readonly sinceCreate: Spread
  /** Since the last of what it waits for. */
  readonly own: Spread
}

export interface Spread {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** The way of a Service through these edges to pods behind these nodes. */
export const stagesFor = (edges: readonly string[], nodes: readonly string[]): readonly Stage[] => [
  { mark: 'created', what: 'created by a client', after: [] },
  { mark: 'accepted', what: 'the API server has answered', after: ['created'] },
  { mark: 'observed', what: 'watcher: seen, finalizers on', after: ['accepted'] },
  { mark: 'LoadBalancerRequested', what: 'log: LoadBalancerRequested', after: ['observed'] },
  {
    mark: 'FrontendsAllocated',
    what: 'log: FrontendsAllocated',
    after: ['LoadBalancerRequested'],
  },
  { mark: 'ResourceIntended', what: 'log: ResourceIntended', after: ['FrontendsAllocated'] },
  { mark: 'told', what: 'bus: order told', after: ['ResourceIntended'] },
  ...edges.map((edge) => ({
    mark: `applied ${edge}`,
    what: `${edge}: in the kernel`,
    after: ['told'],
  })),
  ...edges.map((edge) => ({
    mark: `reported ${edge}`,
    what: `${edge}: reported serving`,
    after: [`applied ${edge}`],
  })),
  {
    mark: 'ResourceProgrammed',
    what: 'log: ResourceProgrammed',
    after: edges.map((edge) => `reported ${edge}`),
  },
  { mark: 'shown', what: 'status shown on a watch', after: ['ResourceProgrammed'] },
  ...nodes.map((node) => ({
    mark: `ready ${node}`,
    what: `${node}: kube-proxy has the address`,
    after: ['shown'],
  })),
  ...edges.map((edge) => ({
    mark: `answered ${edge}`,
    what: `first answer through ${edge}`,
    after: [firstReady, `applied ${edge}`],
  })),
  {
    mark: answeredByAll,
    what: 'first answer through all edges',
    after: edges.map((edge) => `answered ${edge}`),
  },
]

/** Marks that follow from others. */
const firstReady = 'ready on a node'
export const answeredByAll = 'answered by all'

/** Adds the first node that was ready, and the last edge that let a packet through once all did. */
export const completed = (
  marks: Marks,
  edges: readonly string[],
  nodes: readonly string[],
): Marks => {
  const ready = nodes.flatMap((node) => marks[`ready ${node}`] ?? [])
  const answered = edges.flatMap((edge) => marks[`answered ${edge}`] ?? [])
  return {
    ...marks,
    ...(ready.length === 0 ? {} : { [firstReady]: Math.min(...ready) }),
    ...(answered.length < edges.length ? {} : { [answeredByAll]: Math.max(...answered) }),
  }
}

/** A row for each stage but the first, in their order. */
export const rowsOf = (stages: readonly Stage[], services: readonly Marks[]): readonly Row[] => {
  const [begin, ...others] = stages
  return others.map(({ mark, what, after }) => {
    const sinceCreate = services.flatMap((marks) => between(marks, [begin?.mark ?? ''], mark))
    const own = services.flatMap((marks) => between(marks, after, mark))
    return {
      what,
      count: sinceCreate.length,
      sinceCreate: spreadOf(sinceCreate),
      own: spreadOf(own),
    }
  })
}

/** From the last of some marks to another, ms; nothing where one is missing. */
export const between = (
  marks: Marks,
  from: readonly string[],
  to: string,
): readonly [] | readonly [number] => {
  const begins = from.flatMap((mark) => marks[mark] ?? [])
  const end = marks[to]
  if (end === undefined || begins.length < from.length) return []
  return [end - Math.max(...begins)]
}

export const spreadOf = (values: readonly number[]): Spread => ({
  p50: quantile(values, 0.5),
  p99: quantile(values, 0.99),
  max: Math.max(0, ...values),
})
