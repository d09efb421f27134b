import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, bad, ok, tell, warn, type Format } from '../output.ts'

const outcomes = z.object({
  items: z.array(
    z.object({
      part: z.string(),
      level: z.enum(['ok', 'warning', 'failed']),
      detail: z.string(),
      hint: z.string().nullable(),
    }),
  ),
})

const say = { ok, warning: warn, failed: bad } as const

/** Checks the platform part by part; fails when a part does, while warnings pass. */
export const check = async (
  client: ApiClient,
  flags: { readonly output: Format },
): Promise<void> => {
  const { items } = await client.get('/v1/check', outcomes)
  answer(flags.output, items, () => {
    for (const item of items) {
      say[item.level](`${item.part}: ${item.detail}`)
      if (item.hint !== null) tell(`    ${item.hint}`)
    }
  })
  const failed = items.filter((item) => item.level === 'failed')
  if (failed.length > 0) throw new CommandFailed('failed', `${failed.length} parts are not well`)
}
