import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { print, table, type Format } from '../output.ts'
import { stringify } from 'yaml'
import { balancer, findBalancer } from './balancer.ts'
import { storyEvent } from './events.ts'

const explained = balancer.extend({
  summary: z.string(),
  life: z.int(),
  timeline: z.array(
    z.object({
      stage: z.string(),
      at: z.string(),
      afterMs: z.number().nullable(),
      sequence: z.int(),
    }),
  ),
  story: z.array(storyEvent),
})
type Explained = z.infer<typeof explained>

/** Tells a Service's story: what it is, why, since when, what each step took, what to do. */
export const explain = async (
  client: ApiClient,
  service: string,
  flags: { readonly output: Format },
): Promise<void> => {
  const { service: uid } = await findBalancer(client, service)
  const told = await client.get(`/v1/tenants/${client.tenant}/load-balancers/${uid}`, explained)
  if (flags.output === 'json') return print(JSON.stringify(told, undefined, 2))
  if (flags.output === 'yaml') return print(stringify(told).trimEnd())
  print(paragraphs(told).join('\n'))
}

const paragraphs = (told: Explained): string[] => [
  told.summary,
  ...(told.reason
    ? [
        '',
        `Reason:   ${told.reason.code}`,
        `          ${told.reason.message}`,
        `Fix:      ${told.reason.fix}`,
      ]
    : []),
  '',
  `Service:  ${told.namespace}/${told.name} (${told.service})`,
  `Cluster:  ${told.cluster}`,
  `Driver:   ${told.driver}`,
  `Policy:   ${told.intent.externalTrafficPolicy}`,
  `Address:  ${told.ingress.map((each) => `${each.ip} (${each.ipMode})`).join(', ') || 'none'}`,
  `Ports:    ${told.frontends.map((each) => `${each.port}/${each.protocol}`).join(', ') || 'none'}`,
  `Targets:  ${told.targets.map((each) => `${each.node} ${each.ip} weight ${each.weight}`).join(', ') || 'none'}`,
  '',
  table(told.story, [
    { heading: 'SEQ', cell: (event) => String(event.sequence) },
    { heading: 'TIME', cell: (event) => event.recordedtime },
    { heading: 'AFTER', cell: (event) => took(told, event.sequence) },
    { heading: 'STEP', cell: (event) => stage(told, event.sequence) ?? event.type },
    { heading: 'BY', cell: (event) => event.actor },
    {
      heading: 'VERSION',
      cell: (event) => `${event.subject.split('-')[0]}@${event.streamversion}`,
    },
    { heading: 'CAUSE', cell: (event) => event.causationid },
  ]),
]

const timed = (told: Explained, sequence: number) =>
  told.timeline.find((each) => each.sequence === sequence)
const stage = (told: Explained, sequence: number): string | undefined =>
  timed(told, sequence)?.stage
const took = (told: Explained, sequence: number): string => {
  const afterMs = timed(told, sequence)?.afterMs
  return afterMs === null || afterMs === undefined ? '' : `+${afterMs} ms`
}
