import { ownershipMarks } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import {
  balancerName,
  describeMarks,
  labelsOf,
  marksInDescription,
  partTags,
  tagsOf,
  withTags,
} from './marks.ts'

const uuid = (digit: string): string =>
  `${digit.repeat(8)}-${`${digit.repeat(4)}-`.repeat(3)}${digit.repeat(12)}`
const longest = ownershipMarks.parse({
  installation: 'i'.repeat(40),
  tenant: 't'.repeat(40),
  cluster: uuid('c'),
  service: uuid('5'),
  key: `${'d'.repeat(40)}-${uuid('5')}`,
  epoch: 2 ** 31,
})
const labels = { marks: longest, generation: 7, hash: 'h', shape: 's' }

test('the longest marks fit into tags, a description and a name, and come back as they were', () => {
  const tags = [...tagsOf(labels), ...partTags(longest)]
  expect(Math.max(...tags.map(({ length }) => length))).toBeLessThanOrEqual(255)
  expect(labelsOf(tagsOf(labels))).toEqual(labels)
  expect(describeMarks(longest).length).toBeLessThanOrEqual(255)
  expect(marksInDescription(describeMarks(longest))).toEqual(longest)
  expect(marksInDescription(`${describeMarks(longest)} for the shop`)).toEqual(longest)
})

describe('what is not quite our marks is nobody’s', () => {
  const tags = tagsOf(labels)
  test.each<[string, readonly string[]]>([
    ['nothing', []],
    ['a mark is missing', tags.filter((tag) => !tag.startsWith('weir-epoch='))],
    ['a mark is there twice', [...tags, 'weir-inst=other']],
    ['an epoch is no number', tags.map((tag) => tag.replace(/^weir-epoch=.*/, 'weir-epoch=x'))],
    ['a cluster is no UUID', tags.map((tag) => tag.replace(/^weir-cluster=.*/, 'weir-cluster=c'))],
  ])('%s', (_what, broken) => expect(labelsOf(broken)).toBeNull())

  test.each([
    '',
    'weir',
    'made by hand',
    `x${describeMarks(longest)}`,
    describeMarks(longest).replace('epoch=', 'epoch=-'),
  ])('the description "%s"', (description) => expect(marksInDescription(description)).toBeNull())
})

test('tags of others keep their place when ours change', () => {
  const before = ['cost=4711', ...tagsOf(labels), 'weirdo', 'owner=me']
  const after = withTags(before, tagsOf({ ...labels, generation: 8 }))
  expect(after.slice(0, 3)).toEqual(['cost=4711', 'weirdo', 'owner=me'])
  expect(labelsOf(after)).toEqual({ ...labels, generation: 8 })
})

test('a name tells owners and incarnations apart, and nothing else', () => {
  const names = [
    longest,
    { ...longest, epoch: 1 },
    { ...longest, installation: 'j' as never },
    { ...longest, cluster: uuid('d') as never },
    { ...longest, service: uuid('6') as never },
  ].map(balancerName)
  expect(new Set(names).size).toBe(names.length)
  expect(balancerName({ ...longest, tenant: 'other' as never })).toBe(names[0])
  for (const name of names) expect(name).toMatch(/^weir-[a-z2-7]{26}$/)
})
