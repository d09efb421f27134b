// The result as a table, for people and for docs/reliability.md.
import type { LogEvent, Verdict } from './judge.ts'

export interface Results {
  readonly seed: number
  readonly minutes: number
  readonly churn: Readonly<Record<string, number>>
  readonly asked: Readonly<Record<string, number>>
  readonly refused: number
  readonly faults: Readonly<Record<string, number>>
  /** Processes that ended without anybody's doing, and how. */
  readonly surprises: readonly string[]
  /** Seconds from peace to a clean world, each time. */
  readonly convergence: readonly number[]
  readonly log: readonly LogEvent[]
  readonly changes: Readonly<Record<string, { readonly create: number; readonly delete: number }>>
  readonly verdict: Verdict
}

/** Milliseconds from each ReleaseRequested to the first ResourceAbsent after it, by driver, ascending. */
export const timesToAbsent = (log: readonly LogEvent[]): ReadonlyMap<string, number[]> => {
  const asked = new Map<string, number>()
  const times = new Map<string, number[]>()
  for (const { type, story, at, data } of log) {
    if (type === 'ReleaseRequested') asked.set(story, asked.get(story) ?? at)
    const since = type === 'ResourceAbsent' ? asked.get(story) : undefined
    if (since === undefined) continue
    const [driver = ''] = String(data['key']).split('-')
    times.set(driver, [...(times.get(driver) ?? []), at - since])
    asked.delete(story)
  }
  for (const all of times.values()) all.sort((a, b) => a - b)
  return times
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

const nameOf = (share: number): string => (share === 1 ? 'max' : `p${share * 100}`)

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, each) => total + each, 0)

const list = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

/** Rows of a Markdown table. */
export const tableOf = (results: Results): string => {
  const { verdict, convergence } = results
  const times = timesToAbsent(results.log)
  const acts = sum(results.churn)
  const all = [...times.values()].flat().toSorted((a, b) => a - b)
  const released = [['all drivers', all] as const, ...times].map(([driver, sorted]) => [
    `released to absent, ${driver}`,
    `${sorted.length}: ${[0.5, 0.99, 1].map((share) => `${nameOf(share)} ${seconds(percentile(sorted, share))}`).join(', ')}`,
  ])
  const perMinute = (acts / results.minutes).toFixed(0)
  const changed = Object.entries(results.changes).map(
    ([name, { create, delete: gone }]) => `${name} ${create} made, ${gone} deleted`,
  )
  const rows = [
    ['seed', String(results.seed)],
    ['minutes with faults', results.minutes.toFixed(1)],
    ['acts of users', `${acts} (${perMinute} per minute): ${list(results.churn)}`],
    ['acts refused or not answered', String(results.refused)],
    ['load balancers asked for', list(results.asked)],
    ['things at providers', changed.join('; ')],
    ['events in the log', String(results.log.length)],
    ['faults', `${sum(results.faults)}: ${list(results.faults)}`],
    ['processes that ended by themselves', String(results.surprises.length)],
    ...released,
    ['peace to clean', convergence.map((each) => `${each.toFixed(1)} s`).join(', ')],
    ['leaked', String(verdict.leaked.length)],
    ['wrongly deleted', String(verdict.wronglyDeleted.length)],
    ['stuck', String(verdict.stuck.length)],
    ['made without an intent', String(verdict.unintended.length)],
  ]
  return ['| what | measured |', '|---|---|', ...rows.map((row) => `| ${row.join(' | ')} |`)].join(
    '\n',
  )
}

/** Why a run does not count; undefined when it does. */
export const tooLittle = (results: Results, drivers: readonly string[]): string | undefined => {
  const acts = sum(results.churn)
  const least = Math.floor(leastPerMinute * results.minutes)
  if (acts < least) return `${acts} acts of users are too few; ${least} are the least`
  const idle = Object.entries(results.churn).find(([, count]) => count === 0)
  if (idle !== undefined) return `no "${idle[0]}" happened`
  const unused = drivers.find((name) => (results.asked[name] ?? 0) < 3)
  if (unused !== undefined) return `the driver ${unused} was asked for less than three times`
  const missed = Object.entries(results.faults).find(([, count]) => count === 0)
  if (missed !== undefined && results.minutes >= longEnough) return `no "${missed[0]}" was made`
  return undefined
}

/** Under this the machine was too busy, or too much stood still, for a verdict to say anything. */
const leastPerMinute = 20
/** Minutes in which every kind of fault has its turn. */
const longEnough = 4
