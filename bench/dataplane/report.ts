import { median, table } from '../numbers.ts'
import { figures, ways, type Cell, type Figure, type Way } from './cells.ts'

/** What the kernel edge is to reach: ratios to `direct`, of the same round. */
const aims: readonly { readonly figure: Figure; readonly ratio: number }[] = [
  { figure: 'upload', ratio: 0.9 },
  { figure: 'download', ratio: 0.9 },
  { figure: 'p50', ratio: 1.3 },
  { figure: 'connections', ratio: 0.85 },
]
const toBeAheadOf: readonly Way[] = ['envoy', 'haproxy']
const figureNames = Object.keys(figures) as readonly Figure[]

/** A table of each figure, with ratios to `direct` within each round, and their middle. */
export const tablesOf = (cells: readonly Cell[]): string =>
  figureNames
    .map((figure) => {
      const rows = waysIn(cells).map((way) => rowOf(cells, figure, way))
      return table([[figures[figure].name, ...columns], ...rows])
    })
    .join('\n\n')

const columns = [
  'median',
  'of direct',
  'each round',
  'sent again',
  'SYNs',
  'failed',
  'programs',
  'idle',
]

const rowOf = (cells: readonly Cell[], figure: Figure, way: Way): readonly string[] => {
  const { load, digits } = figures[figure]
  const mine = cells.filter((cell) => cell.way === way && cell.load === load)
  const sum = (of: (cell: Cell) => number): string =>
    mine.reduce((total, cell) => total + of(cell), 0).toFixed(0)
  const share = (of: (cell: Cell) => number): string =>
    `${(median(mine.map(of)) * 100).toFixed(0)} %`
  return [
    way,
    median(valuesOf(cells, figure, way)).toFixed(digits),
    ratioOf(cells, figure, way).toFixed(2),
    ratiosOf(cells, figure, way)
      .map((ratio) => ratio.toFixed(2))
      .join(' '),
    sum(({ resent }) => resent.segments),
    sum(({ resent }) => resent.syns),
    sum(({ failed }) => failed),
    share(({ processors }) => processors.programs),
    share(({ processors }) => processors.idle),
  ]
}

/** Each aim as a sentence that says whether it was met. */
export const verdictsOf = (cells: readonly Cell[]): readonly string[] => [
  ...aims.map(({ figure, ratio }) => {
    const is = ratioOf(cells, figure, 'kernel')
    const isLeast = figures[figure].best === 'least'
    const relation = isLeast ? 'at most' : 'at least'
    const met = isLeast ? is <= ratio : is >= ratio
    return `kernel, ${figures[figure].name}: ${is.toFixed(2)} of direct; aim ${relation} ${ratio}: ${word(met)}`
  }),
  ...toBeAheadOf
    .filter((way) => waysIn(cells).includes(way))
    .map((way) => {
      const behind = figureNames.filter((figure) => !isAhead(cells, figure, way))
      const but = behind.map((figure) => figures[figure].name).join('; ')
      return `kernel ahead of ${way} in each: ${word(behind.length === 0)}${but && `, but for ${but}`}`
    }),
]

const word = (met: boolean): string => (met ? 'met' : 'not met')

/** By the middle of the ratios within each round. */
const isAhead = (cells: readonly Cell[], figure: Figure, way: Way): boolean => {
  const [ours, theirs] = [ratioOf(cells, figure, 'kernel'), ratioOf(cells, figure, way)]
  return figures[figure].best === 'most' ? ours > theirs : ours < theirs
}

const waysIn = (cells: readonly Cell[]): readonly Way[] =>
  ways.filter((way) => cells.some((cell) => cell.way === way))

const valuesOf = (cells: readonly Cell[], figure: Figure, way: Way): readonly number[] =>
  cells.flatMap((cell) => (cell.way === way ? (cell.numbers[figure] ?? []) : []))

const ratiosOf = (cells: readonly Cell[], figure: Figure, way: Way): readonly number[] => {
  const direct = valuesOf(cells, figure, 'direct')
  return valuesOf(cells, figure, way).map((value, round) => value / (direct[round] ?? Number.NaN))
}

const ratioOf = (cells: readonly Cell[], figure: Figure, way: Way): number =>
  median(ratiosOf(cells, figure, way))
