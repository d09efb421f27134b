// The one place that prints: data on stdout, progress and errors on stderr.
import { styleText } from 'node:util'
import stringWidth from 'string-width'
import { stringify } from 'yaml'
import type { Format } from './formats.ts'

export type { Format } from './formats.ts'

/** One column of a table: its heading and how a row fills it. */
export interface Column<Row> {
  readonly heading: string
  readonly cell: (row: Row) => string
}

/** Prints data. */
export const print = (text: string): void => console.log(harmless(text))

/** Tells a person what goes on; never data. */
export const tell = (text: string): void => console.error(harmless(text))

export const ok = (text: string): void => say('green', '✔', text)
export const warn = (text: string): void => say('yellow', '!', text)
export const bad = (text: string): void => say('red', '✖', text)

const say = (colour: 'green' | 'yellow' | 'red', sign: string, text: string): void =>
  console.error(`${styleText(colour, sign, { stream: process.stderr })} ${harmless(text)}`)

// Tenants choose texts that others read: what would move a cursor, colour a line, or turn the direction
// of writing becomes a question mark. Lines and tabs stay.
// eslint-disable-next-line no-control-regex
const steering = /(?![\n\t])[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

/** Text that does nothing to a terminal but fill it. */
export const harmless = (text: string): string => text.replaceAll(steering, '?')

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
const clean = (cell: string): string => harmless(cell).replaceAll(/[\n\t]/g, '?')

/** `value` as the text of a machine format: JSON over several lines, or YAML. */
const textOf = (format: 'json' | 'yaml', value: unknown): string =>
  format === 'json'
    ? JSON.stringify(value, undefined, 2).replaceAll(steering, escaped)
    : stringify(value).trimEnd()

/** A character as JSON may write it, so that data stays what it is. */
const escaped = (one: string): string => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Prints `value` for a program, or lets `forPeople` tell it. Every command answers through here. */
export const answer = (format: Format, value: unknown, forPeople: () => void): void => {
  if (format === 'table') forPeople()
  else print(textOf(format, value))
}

/** Prints rows in the format asked for; `whole` is what the machine formats get. */
export const show = <Row>(
  format: Format,
  whole: unknown,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
): void => {
  answer(format, whole, () => {
    if (rows.length === 0) tell('nothing found')
    else print(table(rows, columns))
  })
}

/** Prints one of many values that come one by one: a line of JSON, a document of YAML, or a row. */
export const showNext = <Row>(format: Format, row: Row, columns: readonly Column<Row>[]): void => {
  if (format === 'json') print(JSON.stringify(row).replaceAll(steering, escaped))
  else if (format === 'yaml') print(`---\n${textOf('yaml', row)}`)
  else print(columns.map((each) => clean(each.cell(row))).join('   '))
}

/** A span of time as people say it: `12 ms`, `1.4 s`, `3 min`, `5.2 h`, `3 d`. */
export const span = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return ms < 172_800_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${Math.round(ms / 86_400_000)} d`
}

/** How long ago, as kubectl says it: `12s`, `5m`, `3h`, `2d`. */
export const age = (since: string, now: number): string => {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}
