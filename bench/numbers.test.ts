import { expect, test } from 'vitest'
import { median, quantile, table } from './numbers.ts'

test.each([
  { values: [], q: 0.5, is: 0 },
  { values: [7], q: 0.99, is: 7 },
  { values: [3, 1, 2], q: 0.5, is: 2 },
  { values: [4, 1, 2, 3], q: 0.5, is: 2.5 },
  { values: [10, 20], q: 0.99, is: 19.9 },
])('the quantile $q of $values is $is', ({ values, q, is }) => {
  expect(quantile(values, q)).toBeCloseTo(is, 9)
})

test('one busy moment does not move the median', () => {
  expect(median([1, 1.1, 40, 0.9, 1])).toBe(1)
})

test('columns are as wide as their widest cell', () => {
  expect(
    table([
      ['', 'direct'],
      ['download', '9'],
    ]),
  ).toBe('          direct\ndownload       9')
})
