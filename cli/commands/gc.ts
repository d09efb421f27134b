import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, ok, show, tell, warn, type Format } from '../output.ts'

interface Flags {
  readonly output: Format
}

const finding = z.looseObject({
  kind: z.string(),
  ref: z.string(),
  problem: z.string(),
  driver: z.string().nullish(),
  state: z.string().nullish(),
  firstSeen: z.string().nullish(),
  dueAt: z.string().nullish(),
  evidence: z.string().nullish(),
  condemned: z.string().nullish(),
})
const held = z.object({ driver: z.string().nullable(), name: z.string(), why: z.string() })
const report = z.looseObject({
  findings: z.array(finding),
  examined: z.int(),
  mode: z.enum(['observe', 'apply']).optional(),
  held: z.array(held).default([]),
  drivers: z
    .array(z.looseObject({ driver: z.string(), listed: z.int(), expected: z.int() }))
    .default([]),
})
type Report = z.infer<typeof report>

/** Shows what exists without a reason. Finding nothing is the good case, and says so. */
export const gcReport = async (client: ApiClient, flags: Flags): Promise<void> => {
  const found = await client.get('/v1/gc/report', report)
  if (flags.output === 'table') tellState(found)
  const { findings } = found
  if (findings.length === 0 && flags.output === 'table') {
    const unread = found.held.some(({ name }) => name === 'inventory-incomplete')
    const how = unread ? 'of what could be read' : 'each has its reason'
    return ok(`nothing found: ${found.examined} resources examined, ${how}`)
  }
  show(flags.output, found, findings, [
    { heading: 'KIND', cell: (each) => each.kind },
    { heading: 'DRIVER', cell: (each) => each.driver ?? '' },
    { heading: 'RESOURCE', cell: (each) => each.ref },
    { heading: 'STATE', cell: (each) => each.state ?? '' },
    { heading: 'FIRST SEEN', cell: (each) => each.firstSeen ?? '' },
    { heading: 'DUE', cell: (each) => each.dueAt ?? '' },
    { heading: 'EVIDENCE', cell: (each) => each.evidence ?? '' },
    { heading: 'WHY', cell: (each) => each.problem },
  ])
}

const tellState = ({ mode, held, drivers }: Report): void => {
  if (mode !== undefined) tell(`mode: ${mode === 'apply' ? 'apply (orphans are deleted)' : mode}`)
  for (const { driver, name, why } of held) warn(`${driver ?? 'all'}: ${name}: ${why}`)
  for (const { driver, listed, expected } of drivers) {
    tell(`driver ${driver}: ${listed} listed, ${expected} expected by the log`)
  }
}

const state = z.object({ mode: z.string() })

/** Says that what is condemned until now may go, and whatever is condemned later. */
export const gcApprove = async (client: ApiClient, flags: Flags): Promise<void> => {
  const made = await client.send('POST', '/v1/gc/approve', {}, state)
  answer(flags.output, made, () => ok('cleanup is approved: gc deletes orphans from now on'))
}

export const gcSuspend = async (
  client: ApiClient,
  flags: Flags & { readonly why: string },
): Promise<void> => {
  const made = await client.send('POST', '/v1/gc/suspend', { why: flags.why }, state)
  answer(flags.output, made, () => ok('cleanup only observes from now on'))
}

export const gcPause = async (
  client: ApiClient,
  tenant: string,
  flags: Flags & { readonly why: string },
): Promise<void> => {
  await client.send('POST', '/v1/gc/pause', { tenant, why: flags.why }, z.null())
  answer(flags.output, { tenant, paused: true }, () => ok(`nothing of ${tenant} is deleted`))
}

export const gcResume = async (client: ApiClient, tenant: string, flags: Flags): Promise<void> => {
  await client.send('POST', '/v1/gc/resume', { tenant }, z.null())
  answer(flags.output, { tenant, paused: false }, () => ok(`${tenant} is treated like all others`))
}

const ordered = z.object({ ordered: z.int(), unknown: z.array(z.string()) })
/** What one request may name. */
const atOnce = 1000

/**
 * Orders what a saved report condemns. Only what is in the file is named, and gc deletes of it what a
 * fresh judgement of its own still calls an orphan.
 */
export const gcApply = async (
  client: ApiClient,
  flags: Flags & { readonly fromReport: string },
): Promise<void> => {
  const { findings } = readReport(flags.fromReport)
  const ids = findings.flatMap(({ condemned }) => (condemned ? [condemned] : []))
  if (ids.length === 0) {
    throw new CommandFailed('usage', `${flags.fromReport} condemns nothing`, 'see weir gc report')
  }
  const done = { ordered: 0, unknown: [] as string[] }
  for (let from = 0; from < ids.length; from += atOnce) {
    const condemned = ids.slice(from, from + atOnce)
    const some = await client.send('POST', '/v1/gc/orders', { condemned }, ordered)
    done.ordered += some.ordered
    done.unknown.push(...some.unknown)
  }
  answer(flags.output, done, () => {
    ok(`${done.ordered} ordered; gc deletes what is still an orphan when it looks next`)
    const gone = done.unknown.length
    if (gone > 0) warn(`${gone} are not condemned any more and were left out`)
  })
}

const readReport = (file: string): Report => {
  try {
    return report.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : ''
    throw new CommandFailed(
      'usage',
      `cannot read a report from ${file}: ${why}`,
      'make one with: weir gc report -o json > FILE',
    )
  }
}
