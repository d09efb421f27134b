import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { answer, print, span, table, type Format } from '../output.ts'
import { balancer, findBalancer, portsOf } from './balancer.ts'
import { storyEvent } from './events.ts'

const explained = balancer.extend({
  summary: z.string(),
  life: z.int(),
  /** Nodes that cannot answer its clients. */
  failingNodes: z.array(z.string()),
  story: z.array(storyEvent.extend({ id: z.string(), gist: z.string() })),
})
type Explained = z.infer<typeof explained>
type Told = Explained['story'][number]

/** Tells a Service's story: what it is, why, since when, what each step took, what to do. */
export const explain = async (
  client: ApiClient,
  service: string,
  flags: { readonly output: Format },
): Promise<void> => {
  const { service: uid } = await findBalancer(client, service)
  const told = await client.get(`/v1/tenants/${client.tenant}/load-balancers/${uid}`, explained)
  answer(flags.output, told, () => print(inWords(told)))
}

const inWords = (told: Explained): string => [...header(told), '', ...storyLines(told)].join('\n')

const header = (told: Explained): string[] => [
  told.summary,
  ...(told.reason === null
    ? []
    : [`Reason:   ${told.reason.code}: ${told.reason.message}`, `Fix:      ${told.reason.fix}`]),
  '',
  `Service:  ${told.namespace}/${told.name} (${told.service})`,
  `Cluster:  ${told.cluster}`,
  `Driver:   ${told.driver}`,
  `Policy:   ${told.intent.externalTrafficPolicy}`,
  `Address:  ${list(told.ingress, (at) => ('ip' in at ? `${at.ip} (${at.ipMode})` : at.hostname))}`,
  `Ports:    ${list(portsOf(told), ({ port, protocol }) => `${port}/${protocol}`)}`,
  `Targets:  ${list(told.targets, (target) => targetText(target, told.out))}`,
  ...(told.failingNodes.length === 0
    ? []
    : [`Trouble:  ${told.failingNodes.join(', ')} cannot answer clients; see weir cluster list`]),
  ...(told.life > 1 ? [`Lives:    ${told.life}; it stopped being a load balancer in between`] : []),
]

/** `node-2 10.0.0.12 weight 1 (out: answered 503)` for one that takes no new flows. */
const targetText = (
  { node, ip, weight }: Explained['targets'][number],
  out: Explained['out'],
): string => {
  const found = out.find((each) => each.node === node)
  const why = found === undefined ? '' : ` (out: ${found.problem ?? 'by its health'})`
  return `${node} ${ip} weight ${weight}${why}`
}

const list = <Item>(items: readonly Item[], text: (item: Item) => string): string =>
  items.map(text).join(', ') || 'none'

/** One row per event; an empty line where one life as a load balancer ended and the next began. */
const storyLines = (told: Explained): string[] => {
  const { story } = told
  const sequences = new Map(story.map(({ id, sequence }) => [id, sequence]))
  const rows = story.map((event, at) => ({ event, before: story[at - 1] }))
  const [headings = '', ...lines] = table(rows, [
    { heading: 'SEQ', cell: ({ event }) => String(event.sequence) },
    { heading: 'TIME', cell: ({ event }) => event.recordedtime },
    { heading: 'AFTER', cell: ({ event, before }) => sinceBefore(event, before) },
    { heading: 'EVENT', cell: ({ event }) => event.type },
    { heading: 'BY', cell: ({ event }) => event.actor },
    { heading: 'VERSION', cell: ({ event }) => versionOf(event) },
    { heading: 'CAUSE', cell: ({ event }) => causeOf(event, sequences) },
    { heading: 'WHAT', cell: ({ event }) => event.gist },
  ]).split('\n')
  return [
    headings,
    ...lines.flatMap((line, at) =>
      story[at - 1]?.type === 'FrontendsReleased' ? ['', line] : [line],
    ),
  ]
}

const sinceBefore = (event: Told, before: Told | undefined): string =>
  before ? `+${span(Date.parse(event.recordedtime) - Date.parse(before.recordedtime))}` : ''

/** `lb@3`: the third event of the stream of that category. */
const versionOf = ({ subject, streamversion }: Told): string =>
  `${subject.split('-')[0] ?? ''}@${streamversion}`

/** `#12` for an event of this story, `seen nodes` for what a watcher saw, else as it is recorded. */
const causeOf = ({ causationid }: Told, sequences: ReadonlyMap<string, number>): string => {
  const sequence = sequences.get(causationid)
  if (sequence !== undefined) return `#${sequence}`
  const [kind = '', what = ''] = causationid.split(':')
  if (kind === 'observation') return `seen ${what}`
  return kind === 'service' ? 'its story' : causationid
}
