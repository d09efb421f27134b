import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { age, answer, bad, harmless, print, show, showNext, span, table, tell } from './output.ts'

let out: string[]
let told: string[]
beforeEach(() => {
  out = []
  told = []
  vi.spyOn(console, 'log').mockImplementation((text: string) => void out.push(text))
  vi.spyOn(console, 'error').mockImplementation((text: string) => void told.push(text))
})
afterEach(() => vi.restoreAllMocks())

const columns = [
  { heading: 'NAME', cell: (row: { name: string }) => row.name },
  { heading: 'PORTS', cell: () => '443' },
]

describe('a table', () => {
  test('has its columns aligned, also with characters that are wide or combine', () => {
    const lines = table(
      [{ name: 'web' }, { name: '商店' }, { name: 'cafe\u0301' }, { name: '👩‍🚀' }],
      columns,
    )
    expect(lines.split('\n')).toEqual([
      'NAME   PORTS',
      'web    443',
      '商店   443',
      'cafe\u0301   443',
      '👩‍🚀     443',
    ])
  })

  test('has no blanks at the end of a line', () => {
    const ragged = [
      { heading: 'A', cell: () => 'x' },
      { heading: 'LONG', cell: () => '' },
    ]
    expect(table([1], ragged)).toBe('A   LONG\nx')
  })

  test('keeps a row a row', () => {
    expect(table([{ name: 'a\nb\tc' }], columns)).toBe('NAME    PORTS\na?b?c   443')
  })
})

describe('a hostile text', () => {
  test.each([
    ['clears the screen', '\u001b[2J', '?[2J'],
    ['writes a title', '\u001b]0;x\u0007', '?]0;x?'],
    ['uses one-byte sequences', '\u009b2J', '?2J'],
    ['goes back to the beginning of the line', 'web\rroot', 'web?root'],
    ['rubs out', 'web\u0008\u007f', 'web??'],
    ['turns the direction of writing', 'x\u202egpj.exe', 'x?gpj.exe'],
  ])('that %s does nothing', (_what, text, shown) => {
    expect(harmless(text)).toBe(shown)
    print(text)
    tell(text)
    bad(text)
    expect(out).toEqual([shown])
    expect(told.map((line) => line.replace(/^.*✖\S* /u, ''))).toEqual([shown, shown])
  })

  test('survives as data and still does nothing', () => {
    const value = { name: 'a\u001b[2J\u009b2J\u202eb' }
    show('json', value, [], [])
    expect(JSON.parse(out[0] ?? '')).toEqual(value)
    expect(out[0]).toMatch(/^[\n\x20-\x7e]*$/)
  })
})

describe('every answer', () => {
  const value = { tenant: 'acme', ports: [443] }

  test('is JSON, YAML or words, as asked for', () => {
    let worded = 0
    answer('json', value, () => (worded += 1))
    answer('yaml', value, () => (worded += 1))
    answer('table', value, () => (worded += 1))
    expect(JSON.parse(out[0] ?? '')).toEqual(value)
    expect(parse(out[1] ?? '')).toEqual(value)
    expect([worded, out.length]).toEqual([1, 2])
  })

  test('of nothing is said on the side of people, and is an empty list for programs', () => {
    show('table', [], [], columns)
    show('json', [], [], columns)
    expect([told, out]).toEqual([['nothing found'], ['[]']])
  })

  test('that comes bit by bit is a line of JSON, a document of YAML, or a row', () => {
    for (const format of ['json', 'yaml', 'table'] as const)
      showNext(format, { name: 'web' }, columns)
    expect(out).toEqual(['{"name":"web"}', '---\nname: web', 'web   443'])
  })
})

test.each([
  [0, '0s'],
  [119_000, '119s'],
  [120_000, '2m'],
  [7_200_000, '2h'],
  [172_800_000, '2d'],
  [-5000, '0s'],
])('%d ms ago is %s', (ms, text) => {
  const now = Date.UTC(2026, 2, 1)
  expect(age(new Date(now - ms).toISOString(), now)).toBe(text)
})

test.each([
  [0, '0 ms'],
  [999, '999 ms'],
  [1400, '1.4 s'],
  [180_000, '3 min'],
  [18_720_000, '5.2 h'],
  [259_200_000, '3 d'],
])('a span of %d ms is %s', (ms, text) => expect(span(ms)).toBe(text))
