import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { ok, show, type Format } from '../output.ts'

const report = z.looseObject({
  findings: z.array(z.looseObject({ kind: z.string(), ref: z.string(), problem: z.string() })),
  examined: z.int(),
})

/** Shows what exists without a reason. Finding nothing is the good case, and says so. */
export const gcReport = async (
  client: ApiClient,
  flags: { readonly output: Format },
): Promise<void> => {
  const { findings, ...rest } = await client.get('/v1/gc/report', report)
  if (findings.length === 0 && flags.output === 'table') {
    return ok(`nothing found: ${rest.examined} resources examined, each has its reason`)
  }
  show(flags.output, { findings, ...rest }, findings, [
    { heading: 'KIND', cell: (finding) => finding.kind },
    { heading: 'RESOURCE', cell: (finding) => finding.ref },
    { heading: 'WHY', cell: (finding) => finding.problem },
  ])
}
