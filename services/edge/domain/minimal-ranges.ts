import { cidrContains, familyOf, ipAddress, toInteger, type Cidr } from '@weir/contract'

/**
 * The ranges that admit the same addresses with none inside another, in a fixed order. The kernel refuses
 * intervals that overlap, and a user may well write 10.0.0.0/8 beside 10.1.0.0/16.
 */
export const minimalRanges = (ranges: readonly Cidr[]): readonly Cidr[] => {
  const sorted = ranges.map(parse).toSorted(byFamilyBaseLength)
  const kept: Parsed[] = []
  for (const range of sorted) {
    const last = kept.at(-1)
    if (!last || !cidrContains(last.text, range.base)) kept.push(range)
  }
  return kept.map(({ text }) => text)
}

const parse = (text: Cidr) => {
  const [address = '', length = ''] = text.split('/')
  const base = ipAddress.parse(address)
  return { text, base, value: toInteger(base), bits: Number(length), family: familyOf(base) }
}
type Parsed = ReturnType<typeof parse>

/** A range comes before every other that it contains. */
const byFamilyBaseLength = (a: Parsed, b: Parsed): number => {
  if (a.family !== b.family) return a.family < b.family ? -1 : 1
  if (a.value !== b.value) return a.value < b.value ? -1 : 1
  return a.bits - b.bits
}
