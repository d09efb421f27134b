import { expect, test } from 'vitest'
import {
  afterFact,
  dueAt,
  unheardOf,
  type AddressFact,
  type AddressStory,
} from './address-story.ts'

/** An address after these facts, each with the second it was seen in. */
const after = (...facts: readonly (readonly [AddressFact, number])[]): AddressStory =>
  facts.reduce((story, [fact, second]) => afterFact(story, fact, second * 1_000), unheardOf)

test.each<[string, readonly (readonly [AddressFact, number])[], boolean]>([
  ['with a usable node is announced at once', [['usable', 1_000]], true],
  ['that never had a usable node is not announced', [['empty', 1_000]], false],
  [
    'whose nodes are gone for a moment stays announced',
    [
      ['usable', 1_000],
      ['empty', 1_001],
      ['empty', 1_005],
    ],
    true,
  ],
  [
    'whose nodes stay away is withdrawn',
    [
      ['usable', 1_000],
      ['empty', 1_001],
      ['empty', 1_006],
    ],
    false,
  ],
  [
    'whose nodes came back meanwhile waits anew',
    [
      ['usable', 1_000],
      ['empty', 1_001],
      ['usable', 1_005],
      ['empty', 1_006],
      ['empty', 1_010],
    ],
    true,
  ],
  [
    'that is closed is withdrawn at once',
    [
      ['usable', 1_000],
      ['closed', 1_000],
    ],
    false,
  ],
  [
    'that is closed while it waits is withdrawn at once',
    [
      ['usable', 1_000],
      ['empty', 1_001],
      ['closed', 1_002],
    ],
    false,
  ],
  [
    'that is opened again is announced at once',
    [
      ['usable', 1_000],
      ['closed', 1_001],
      ['usable', 1_002],
    ],
    true,
  ],
])('an address %s', (_rule, facts, announced) => {
  expect(after(...facts).announced).toBe(announced)
  const twice = facts.flatMap((fact) => [fact, fact])
  expect(after(...twice)).toEqual(after(...facts))
})

/** How long an address that flaps for the `times`th time is kept, in seconds. */
const patience = (times: number, calm = 1): number => {
  let story = unheardOf
  let now = 1_000_000
  for (let flap = 1; ; flap += 1) {
    story = afterFact(afterFact(story, 'usable', now), 'empty', now)
    const due = dueAt(story)
    if (flap === times) return (due - now) / 1_000
    story = afterFact(story, 'empty', due)
    expect(story.announced).toBe(false)
    now = due + calm * 1_000
  }
}

test('an address that flaps is kept for longer and longer, at most for five minutes', () => {
  expect([1, 2, 3, 4, 7, 20].map((times) => patience(times))).toEqual([5, 10, 20, 40, 300, 300])
})

test('ten quiet minutes forgive the flaps', () => {
  expect(patience(5, 601)).toBe(5)
})
