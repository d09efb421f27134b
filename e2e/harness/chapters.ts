import { expect } from 'vitest'
import type { LogEvent } from './objects.ts'

/** What a whole life leaves in the log, in this order; other events may stand between. */
export const wholeLife = [
  'LoadBalancerRequested',
  'FrontendsAllocated',
  'ResourceIntended',
  'ResourceProgrammed',
  'StatusPublished',
  'ReleaseRequested',
  'ResourceDeleteIntended',
  'ResourceAbsent',
  'FinalizerRemoved',
  'FrontendsReleased',
] as const

/** Which of `chapters` are in the story in this order. */
export const toldInOrder = (
  story: readonly LogEvent[],
  chapters: readonly string[],
): readonly string[] => {
  const told: string[] = []
  for (const { type } of story) {
    if (type === chapters[told.length]) told.push(type)
  }
  return told
}

/** Fails unless the story tells a whole life in order. */
export const expectWholeLife = (story: readonly LogEvent[]): void =>
  expect(
    toldInOrder(story, wholeLife),
    `the story is ${story.map(({ type }) => type).join()}`,
  ).toEqual([...wholeLife])
