import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { freePort, startPostgres } from '@weir/embedded'
import { migrate, openStore } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { z } from 'zod'
import { seed } from './gc/seed.ts'
import type { Bench } from './main.ts'
import { table } from './numbers.ts'

const measured = z.object({
  phases: z.array(
    z.object({
      name: z.string(),
      seconds: z.number(),
      /** Seconds of processor time of gc's process. */
      processor: z.number(),
      /** Megabytes of its heap that are in use after a collection. */
      live: z.number(),
      rss: z.object({ before: z.number(), peak: z.number(), after: z.number() }),
      listed: z.number(),
      condemned: z.number(),
      removed: z.number(),
      held: z.array(z.string()),
      left: z.number(),
    }),
  ),
  deletedAt: z.array(z.number()),
  refusals: z.number(),
  rate: z.object({ perSecond: z.number(), burst: z.number() }),
})
type Measured = z.infer<typeof measured>

/** NODE_OPTIONS of infra/Dockerfile. */
const asInTheImage = ['--max-semi-space-size=4']

/**
 * gc on a real log and a provider with many resources: how long a scan takes, what memory it needs, and
 * whether orphans are removed within the provider's rate.
 */
export const benchGc: Bench = async (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      resources: { type: 'string', default: '100000' },
      orphans: { type: 'string', default: '10000' },
      'per-second': { type: 'string', default: '200' },
    },
  })
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-gc-'))
  const postgres = await startPostgres({ dataDir: join(folder, 'data'), port: await freePort() })
  try {
    await migrate(postgres.url)
    const [resources, orphans] = [Number(values.resources), Number(values.orphans)]
    await fill(postgres.url, resources, orphans)
    const program = join(import.meta.dirname, 'gc', 'scan.ts')
    const words = [
      ...asInTheImage,
      '--expose-gc',
      program,
      postgres.url,
      String(resources),
      values['per-second'],
    ]
    const options = { maxBuffer: 1e8 }
    const { stdout } = await promisify(execFile)(process.execPath, words, options)
    print(measured.parse(JSON.parse(stdout)), resources)
  } finally {
    await postgres.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const fill = async (url: string, resources: number, orphans: number): Promise<void> => {
  const began = performance.now()
  const store = await openStore({ url, clock: systemClock, ids: systemIds, logger: silentLogger })
  await seed(store, resources, orphans)
  await store.close()
  const seconds = ((performance.now() - began) / 1000).toFixed(0)
  console.log(`the log: ${resources} resources, ${orphans} of them orphans, told in ${seconds} s\n`)
}

const print = ({ phases, deletedAt, refusals, rate }: Measured, resources: number): void => {
  const head = [
    '',
    'seconds',
    'processor',
    'listed',
    'condemned',
    'removed',
    'left',
    'live heap',
    'RSS before',
    'peak',
    'after',
  ]
  const rows = phases.map(({ name, seconds, processor, live, rss, ...counts }) => [
    name,
    seconds.toFixed(1),
    processor.toFixed(1),
    ...[counts.listed, counts.condemned, counts.removed, counts.left].map(String),
    ...[live, rss.before, rss.peak, rss.after].map((size) => `${size} MB`),
  ])
  console.log(table([head, ...rows]))
  for (const why of phases.flatMap(({ held }) => held)) console.log(`held: ${why}`)
  const [first] = phases
  const allowed = rate.perSecond + rate.burst
  const busiest = busiestSecond(deletedAt)
  const took = ((deletedAt.at(-1) ?? 0) - (deletedAt[0] ?? 0)) / 1000
  const aim =
    resources >= 100_000 ? ` (aim 60: ${(first?.seconds ?? 99) <= 60 ? 'met' : 'missed'})` : ''
  console.log(`\nscanned and judged from nothing in ${first?.seconds.toFixed(1)} s${aim}`)
  console.log(
    `${deletedAt.length} deletes in ${took.toFixed(1)} s: ` +
      `${(deletedAt.length / Math.max(took, 0.001)).toFixed(0)} per second of ${rate.perSecond}; ` +
      `busiest second ${busiest}, allowed ${allowed} with the burst; ${refusals} told to wait`,
  )
}

/** Most deletes in any one second. */
const busiestSecond = (times: readonly number[]): number => {
  let first = 0
  let most = 0
  for (const [at, time] of times.entries()) {
    while ((times[first] ?? time) <= time - 1000) first += 1
    most = Math.max(most, at - first + 1)
  }
  return most
}
