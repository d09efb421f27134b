import { cidr } from '@weir/contract'
import { expect, test } from 'vitest'
import { minimalRanges } from './minimal-ranges.ts'

test.each<[string, string[], string[]]>([
  ['no range', [], []],
  ['ranges apart stay', ['192.0.2.0/24', '10.0.0.0/8'], ['10.0.0.0/8', '192.0.2.0/24']],
  ['a range inside another goes', ['10.1.0.0/16', '10.0.0.0/8'], ['10.0.0.0/8']],
  ['the same base, the wider stays', ['10.0.0.0/24', '10.0.0.0/8'], ['10.0.0.0/8']],
  ['the same range twice is one', ['10.0.0.0/8', '10.0.0.0/8'], ['10.0.0.0/8']],
  ['everybody is everybody', ['10.0.0.0/8', '0.0.0.0/0', '1.2.3.4/32'], ['0.0.0.0/0']],
  ['families are apart', ['::/0', '0.0.0.0/0', 'fd00::/8'], ['0.0.0.0/0', '::/0']],
  ['neighbours stay two', ['10.0.0.0/9', '10.128.0.0/9'], ['10.0.0.0/9', '10.128.0.0/9']],
])('%s', (_rule, ranges, expected) => {
  expect(minimalRanges(ranges.map((range) => cidr.parse(range)))).toEqual(expected)
})
