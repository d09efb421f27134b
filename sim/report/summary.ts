import { faultKinds, noCounts, type Counts } from '../faults.ts'
import type { Outcome } from '../run.ts'
import { workloadKinds } from '../workload/kinds.ts'

/** What all schedules of a run did together. */
export interface Totals {
  schedules: number
  steps: number
  simulatedMs: number
  readonly faults: Counts
  readonly acts: Record<string, number>
  /** By promise: how often, and the first seed. */
  readonly violations: Map<string, { count: number; readonly seed: string }>
  /** Schedules that met an open finding, by its reason. */
  readonly known: Map<string, { count: number; readonly seed: string }>
}

export const noTotals = (): Totals => ({
  schedules: 0,
  steps: 0,
  simulatedMs: 0,
  faults: noCounts(),
  acts: Object.fromEntries(workloadKinds.map((kind) => [kind, 0])),
  violations: new Map(),
  known: new Map(),
})

export const count = (totals: Totals, outcome: Outcome): void => {
  totals.schedules += 1
  totals.steps += outcome.steps
  totals.simulatedMs += outcome.simulatedMs
  for (const kind of faultKinds) totals.faults[kind] += outcome.faults[kind]
  for (const [kind, times] of Object.entries(outcome.acts)) {
    totals.acts[kind] = (totals.acts[kind] ?? 0) + times
  }
  const { violation, seed } = outcome
  for (const reason of outcome.known.keys()) note(totals.known, reason, seed)
  if (violation !== undefined) note(totals.violations, violation.promise, seed)
}

const note = (
  into: Map<string, { count: number; readonly seed: string }>,
  name: string,
  seed: string,
): void => {
  const known = into.get(name)
  if (known !== undefined) known.count += 1
  else into.set(name, { count: 1, seed })
}

/** The summary, line by line. */
export const summaryOf = (totals: Totals, seconds: number): readonly string[] => {
  const perSecond = (what: number): string => Math.round(what / Math.max(seconds, 0.001)).toString()
  const hours = (totals.simulatedMs / 3_600_000).toFixed(1)
  return [
    '',
    `schedules        ${totals.schedules} (${perSecond(totals.schedules)} per second)`,
    `steps            ${totals.steps} (${perSecond(totals.steps)} per second)`,
    `simulated time   ${hours} h (${perSecond(totals.simulatedMs / 1000)} times as fast as real)`,
    '',
    'faults injected',
    ...tableOf(totals.faults),
    '',
    'what users did',
    ...tableOf(totals.acts),
    '',
    ...violationsOf(totals),
  ]
}

const tableOf = (counts: Readonly<Record<string, number>>): readonly string[] =>
  Object.entries(counts).map(([name, times]) => `  ${name.padEnd(32)}${times}`)

const violationsOf = ({ violations, known }: Totals): readonly string[] => {
  const total = [...violations.values()].reduce((sum, each) => sum + each.count, 0)
  return [
    `violations       ${total}`,
    ...[...violations].map(
      ([promise, each]) => `  ${promise.padEnd(6)}${each.count}  first with --seed ${each.seed}`,
    ),
    ...(known.size === 0 ? [] : ['open findings (sim/known-findings.ts), in so many schedules']),
    ...[...known].map(
      ([reason, each]) => `  ${String(each.count).padEnd(6)}${reason} (--seed ${each.seed})`,
    ),
  ]
}

/** Fault kinds that never happened: a run without them shows less than it seems to. */
export const missing = ({ faults }: Totals): readonly string[] =>
  faultKinds.filter((kind) => faults[kind] === 0)
