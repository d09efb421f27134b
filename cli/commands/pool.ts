import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, ok, type Format } from '../output.ts'

interface PoolFlags {
  readonly output: Format
  readonly range: readonly string[]
  readonly priority: string
  readonly quarantine: string
  readonly for?: readonly string[]
}

const whole = (text: string, option: string): number => {
  if (/^\d+$/.test(text)) return Number(text)
  throw new CommandFailed('usage', `${option} ${text} is not a whole number`)
}

/** Makes or changes a pool. A range is a CIDR, or `FIRST-LAST` with both ends included. */
export const poolCreate = async (
  client: ApiClient,
  name: string,
  flags: PoolFlags,
): Promise<void> => {
  const body = {
    ranges: flags.range.map((range) => {
      const [first, last] = range.split('-')
      return last === undefined ? range : { first, last }
    }),
    priority: whole(flags.priority, '--priority'),
    quarantineSeconds: whole(flags.quarantine, '--quarantine'),
    tenants: flags.for ?? null,
  }
  const made = await client.send('PUT', `/v1/pools/${encodeURIComponent(name)}`, body, z.unknown())
  answer(flags.output, made, () => ok(`pool ${name} is open`))
}
