import { median, quantile, table } from '../numbers.ts'
import type { ProcessorTime } from './processor-time.ts'
import type { Lived, Load } from './stage.ts'

/** What one side did in one round, and what it took. */
export interface Measured extends Lived {
  readonly used: ProcessorTime
  /** Of the last minute, all processes of the machine. */
  readonly loadAverage: number
}

export interface Round {
  readonly weir: Measured
  readonly bare: Measured
}

export interface Comparison {
  readonly cluster: 'simulated' | 'kubernetes'
  readonly load: Load
  readonly rounds: readonly Round[]
}

interface Line {
  readonly name: string
  readonly weir: number
  readonly bare: number | undefined
  /** weir / bare of each round. */
  readonly ratios: readonly number[]
}

/** A number of each side's round, as one line; the middle over the rounds. */
const line = (
  { rounds }: Comparison,
  name: string,
  valueOf: (measured: Measured) => number | undefined,
): Line => {
  const of = (side: 'weir' | 'bare') => rounds.flatMap((round) => valueOf(round[side]) ?? [])
  const [ours, theirs] = [of('weir'), of('bare')]
  return {
    name,
    weir: median(ours),
    bare: theirs.length === 0 ? undefined : median(theirs),
    ratios: theirs.map((value, at) => (ours[at] ?? 0) / value),
  }
}

const linesOf = (each: Comparison): readonly Line[] => [
  ...(each.load.perSecond === Infinity
    ? [line(each, 'ready per second', ({ perSecond }) => perSecond)]
    : []),
  line(each, 'create to status p50, ms', ({ toStatus }) => quantile(toStatus, 0.5)),
  line(each, 'create to status p99, ms', ({ toStatus }) => quantile(toStatus, 0.99)),
  line(each, 'create to answer p50, ms', (at) => ofAnswers(at, 0.5)),
  line(each, 'create to answer p99, ms', (at) => ofAnswers(at, 0.99)),
  line(each, 'deletions per second', ({ deletedPerSecond }) => deletedPerSecond),
  line(each, 'load average afterwards', ({ loadAverage }) => loadAverage),
  line(each, 'Services that refused a first try', ({ toAnswer, unanswered }) =>
    toAnswer.length === 0 ? undefined : unanswered,
  ),
]
const ofAnswers = ({ toAnswer }: Measured, q: number): number | undefined =>
  toAnswer.length === 0 ? undefined : quantile(toAnswer, q)

/** Milliseconds of processor time per Service and part, the dearest first. */
const costsOf = ({ rounds, load }: Comparison): readonly Line[] => {
  const parts = new Set(
    rounds.flatMap(({ weir, bare }) => [...weir.used.keys(), ...bare.used.keys()]),
  )
  const mean = (side: 'weir' | 'bare', part: string): number =>
    rounds.reduce((sum, round) => sum + (round[side].used.get(part) ?? 0), 0) /
    (rounds.length * load.count)
  return [...parts]
    .map((part) => ({ name: part, weir: mean('weir', part), bare: mean('bare', part), ratios: [] }))
    .filter(({ weir, bare }) => weir + bare >= 0.1)
    .sort((a, b) => b.weir - a.weir)
}

const titleOf = ({ cluster, load }: Comparison): string =>
  load.perSecond === Infinity
    ? `${cluster}: ${load.count} Services at once`
    : `${cluster}: ${load.count} Services at ${load.perSecond} per second`

/** The comparison in words or as JSON. */
export const report = (
  done: readonly Comparison[],
  machine: string,
  format: 'table' | 'json',
): string => {
  const told = done.map((each) => ({
    title: titleOf(each),
    lines: linesOf(each),
    costs: costsOf(each),
  }))
  if (format === 'json') return JSON.stringify({ machine, told }, undefined, 2)
  return [machine, ...told.map(asText)].join('\n\n')
}

const asText = (told: {
  readonly title: string
  readonly lines: readonly Line[]
  readonly costs: readonly Line[]
}): string => {
  const digits = (value: number | undefined): string => value?.toFixed(1) ?? ''
  const rows = told.lines.map(({ name, weir, bare, ratios }) => {
    const ratio = ratios.length === 0 ? '' : median(ratios).toFixed(2)
    const spread = ratios.map((each) => each.toFixed(2)).join(' ')
    return [name, digits(weir), digits(bare), ratio, spread]
  })
  const heading = [told.title, 'weir', 'bare', 'weir/bare', 'each round']
  const costs = told.costs.map(({ name, weir, bare }) => [`  ${name}`, digits(weir), digits(bare)])
  const costHeading = ['processor ms per Service, by part', 'weir', 'bare']
  return `${table([heading, ...rows])}\n${table([costHeading, ...costs])}`
}
