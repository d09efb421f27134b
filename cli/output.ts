// The one place that prints: data on stdout, progress and errors on stderr.
import { styleText } from 'node:util'
import stringWidth from 'string-width'
import { stringify } from 'yaml'

export const formats = ['table', 'json', 'yaml'] as const
export type Format = (typeof formats)[number]

/** One column of a table: its heading and how a row fills it. */
export interface Column<Row> {
  readonly heading: string
  readonly cell: (row: Row) => string
}

/** Prints data as it is, one line. */
export const print = (line: string): void => console.log(line)

/** Tells a person what goes on; never data. */
export const tell = (line: string): void => console.error(line)

export const ok = (line: string): void => tell(`${mark('green', '✔')} ${line}`)
export const warn = (line: string): void => tell(`${mark('yellow', '!')} ${line}`)
export const bad = (line: string): void => tell(`${mark('red', '✖')} ${line}`)

const mark = (colour: 'green' | 'yellow' | 'red', sign: string): string =>
  styleText(colour, sign, { stream: process.stderr })

/** Aligned columns with headings and no boxes, as kubectl prints them. */
export const table = <Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string => {
  const cells = [
    columns.map((each) => each.heading),
    ...rows.map((row) => columns.map((each) => clean(each.cell(row)))),
  ]
  const widths = columns.map((_, at) =>
    Math.max(...cells.map((line) => stringWidth(line[at] ?? ''))),
  )
  return cells
    .map((line) =>
      line
        .map((cell, at) => pad(cell, widths[at] ?? 0))
        .join('   ')
        .trimEnd(),
    )
    .join('\n')
}

const pad = (cell: string, width: number): string =>
  cell + ' '.repeat(Math.max(0, width - stringWidth(cell)))
// A tenant's text must not move the cursor of whoever reads it.
// eslint-disable-next-line no-control-regex
const clean = (cell: string): string => cell.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '?')

/** Prints rows in the format asked for; `whole` is what the machine formats get. */
export const show = <Row>(
  format: Format,
  whole: unknown,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): void => {
  if (format === 'json') return print(JSON.stringify(whole, undefined, 2))
  if (format === 'yaml') return print(stringify(whole).trimEnd())
  if (rows.length === 0) return tell('nothing found')
  print(table(rows, columns))
}

/** How long ago, as kubectl says it: `12s`, `5m`, `3h`, `2d`. */
export const age = (since: string, now: number): string => {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}
