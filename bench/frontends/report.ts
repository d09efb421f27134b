import { quantile, table } from '../numbers.ts'

/** Times in ms of one program with `size` frontends; none of a change that was not measured. */
export interface Measured {
  readonly name: string
  readonly size: number
  /** All of them into nothing. */
  readonly load: number
  readonly add: readonly number[]
  readonly remove: readonly number[]
  /** A node leaves a cluster of five Services, or comes back. */
  readonly remap: readonly number[]
  /** All of the table compared with what it should be. */
  readonly verify?: number | undefined
  /** Adding while that goes on. */
  readonly addMeanwhile: readonly number[]
}

export interface Storm {
  readonly size: number
  readonly perSecond: number
  readonly seconds: number
  readonly made: number
  readonly ms: number
  readonly took: readonly number[]
  /** Elements of the kernel's table that were not as they should be at the end. */
  readonly differed: number
  readonly opened: number
  readonly alive: number
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)
const times = (values: readonly number[]): string =>
  values.length === 0
    ? '-'
    : `${quantile(values, 0.5).toFixed(1)} / ${quantile(values, 0.99).toFixed(1)}`

/** A table of all that was measured, and each aim with whether it was met. */
export const report = (measured: readonly Measured[], storm: Storm): string => {
  const head = [
    'frontends',
    'cold load, s',
    'add p50 / p99, ms',
    'remove',
    'remap',
    'compare, s',
    'add meanwhile',
  ]
  const rows = measured.map((one) => [
    `${one.name} ${one.size}`,
    seconds(one.load),
    times(one.add),
    times(one.remove),
    times(one.remap),
    one.verify === undefined ? '-' : seconds(one.verify),
    times(one.addMeanwhile),
  ])
  const stormy =
    `${storm.made} changes in ${(storm.ms / 1000).toFixed(1)} s with ${storm.size} frontends, ` +
    `${times(storm.took)} ms; ${storm.differed} elements wrong at the end`
  return [table([head, ...rows]), stormy, verdictsOf(measured, storm).join('\n')].join('\n\n')
}

const biggest = 50_000

export const verdictsOf = (measured: readonly Measured[], storm: Storm): readonly string[] => {
  const kernelAt = (size: number) =>
    measured.find((one) => one.name === 'kernel' && one.size === size)
  const [small, big] = [kernelAt(1000), kernelAt(biggest)]
  const peers = measured.filter(({ name }) => name !== 'kernel')
  const paceMs = storm.seconds * 1000
  return [
    ...(small && big
      ? [verdict('add at 50k / at 1k', quantile(big.add, 0.5) / quantile(small.add, 0.5), 1.5)]
      : []),
    ...(big
      ? [
          verdict('add at 50k p99, ms', quantile(big.add, 0.99), 25),
          verdict('cold load of 50k, s', big.load / 1000, 10),
        ]
      : []),
    ...peers.flatMap(({ name, size, add }) => {
      const ours = kernelAt(size)
      if (!ours) return []
      return verdict(`add at ${size} / ${name}'s`, quantile(ours.add, 0.5) / quantile(add, 0.5), 1)
    }),
    verdict('changes behind their pace, s', Math.max(0, storm.ms - paceMs) / 1000, 1),
    verdict(`connections broken of ${storm.opened}`, storm.opened - storm.alive, 0),
  ]
}

const verdict = (what: string, is: number, most: number): string =>
  `${what}: ${Number(is.toFixed(2))}; aim at most ${most}: ${is <= most ? 'met' : 'not met'}`
