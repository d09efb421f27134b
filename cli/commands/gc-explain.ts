import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { answer, print, table, tell, warn, type Format } from '../output.ts'

const explanation = z.object({
  things: z.array(
    z.looseObject({
      driver: z.string(),
      what: z.string(),
      ref: z.string(),
      tenant: z.string().nullable(),
      epoch: z.int().nullable(),
      verdict: z.string(),
      evidence: z.string(),
    }),
  ),
  events: z.array(
    z.object({
      at: z.string(),
      type: z.string(),
      actor: z.string(),
      id: z.string(),
      about: z.string(),
    }),
  ),
  unread: z.array(z.object({ driver: z.string(), problem: z.string() })),
})

/** Tells why one thing is kept, condemned or gone, with the events that led there. */
export const gcExplain = async (
  client: ApiClient,
  resource: string,
  flags: { readonly output: Format },
): Promise<void> => {
  const path = `/v1/gc/explain?resource=${encodeURIComponent(resource)}`
  const told = await client.get(path, explanation)
  answer(flags.output, told, () => {
    for (const { driver, problem } of told.unread) warn(`${driver} was not read: ${problem}`)
    const columns = [
      { heading: 'DRIVER', cell: (each: Thing) => each.driver },
      { heading: 'WHAT', cell: (each: Thing) => each.what },
      { heading: 'RESOURCE', cell: (each: Thing) => each.ref },
      { heading: 'TENANT', cell: (each: Thing) => each.tenant ?? '' },
      { heading: 'EPOCH', cell: (each: Thing) => String(each.epoch ?? '') },
      { heading: 'VERDICT', cell: (each: Thing) => each.verdict },
      { heading: 'EVIDENCE', cell: (each: Thing) => each.evidence },
    ]
    if (told.things.length > 0) print(table(told.things, columns))
    else tell('nothing of it exists, and nothing of it was ever condemned')
    if (told.events.length === 0) return
    print('')
    print(
      table(told.events, [
        { heading: 'AT', cell: (each) => each.at },
        { heading: 'WHAT', cell: (each) => each.type },
        { heading: 'WHO', cell: (each) => each.actor },
        { heading: 'EVENT', cell: (each) => each.id },
        { heading: 'ABOUT', cell: (each) => each.about },
      ]),
    )
  })
}

type Thing = z.infer<typeof explanation>['things'][number]
