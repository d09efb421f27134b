import type { DomainEvent } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { judge, judgeByMarks } from './judge.ts'
import { createPlaces } from './places.ts'
import { owesAbsence, tellResource } from './resource-told.ts'
import { acme, createSampleLog, life } from './sample-log.ts'

const edge = life(1)
const cloud = life(1, 'octavia')
const { marks } = desiredOf(1)

const storyOf = async (events: readonly DomainEvent[]) => {
  const log = createSampleLog()
  log.say(1, ...events)
  return log.story(acme, marks.service)
}
const moving = [edge.requested, edge.intended(), edge.moved('octavia'), cloud.intended(2)]

const cases: readonly [string, number, readonly DomainEvent[], string][] = [
  ['live', 1, [edge.requested, edge.intended()], 'ResourceIntended id-2'],
  ['no-intent', 1, [], 'no intent'],
  ['no-intent', 1, [edge.requested], 'no intent'],
  ['no-intent', 2, [edge.requested, edge.intended()], 'no intent'],
  ['no-intent', 1, [cloud.requested, cloud.intended()], 'no intent'],
  ['orphan', 1, [edge.requested, edge.intended(), edge.released], 'ReleaseRequested id-3'],
  [
    'orphan',
    1,
    [edge.requested, edge.intended(), edge.released, edge.absent(), edge.over],
    'ReleaseRequested id-3: service-deleted',
  ],
  // An intent that raced with the release is a resource to remove.
  ['orphan', 1, [edge.requested, edge.released, edge.intended()], 'ReleaseRequested id-2'],
  [
    'orphan',
    1,
    [edge.requested, edge.intended(), edge.released, edge.absent(), edge.over, edge.requested],
    'ReleaseRequested id-3',
  ],
  [
    'superseded',
    1,
    [edge.requested, edge.intended(), edge.released, edge.over, edge.requested, edge.intended(2)],
    'epoch 2 took its place',
  ],
  // Absence of what is still wanted leaves it wanted.
  ['live', 1, [edge.requested, edge.intended(), edge.absent()], 'is wanted'],
  ['live', 1, [edge.requested, edge.intended(), edge.deleting(1, 'orphan')], 'is wanted'],
  // Make before break: the old one must exist until its delete is intended.
  ['live', 1, moving, 'is wanted'],
  ['orphan', 1, [...moving, edge.deleting(1, 'moved')], 'ResourceDeleteIntended id-5: moved'],
  ['orphan', 1, [...moving, edge.released], 'ReleaseRequested id-5'],
]

describe('a thing of an inventory', () => {
  test.each(cases)('is %s at epoch %s after %j', async (verdict, epoch, events, evidence) => {
    const thing = { key: marks.key, epoch }
    const judged = judge(thing, await storyOf(events))
    expect(judged.verdict).toBe(verdict)
    expect(judged.evidence).toContain(evidence)
  })

  test.each(cases)(
    'is never live by places alone when it is %s',
    async (verdict, epoch, events) => {
      const places = createPlaces()
      for (const said of await storyOf(events)) places.take(said)
      const live = places.isLive({ tenant: acme, service: marks.service, driver: 'edge', epoch })
      expect(live).toBe(verdict === 'live')
    },
  )

  test('without marks, or with those of others, is nobody of ours, whatever the log says', () => {
    const item = { kind: 'load balancer', ref: 'x', generation: 1 }
    expect(judgeByMarks({ ...item, marks: null }, ourInstallation)?.verdict).toBe('unmarked')
    expect(judgeByMarks({ ...item, marks }, 'theirs')?.verdict).toBe('foreign')
    expect(judgeByMarks({ ...item, marks }, ourInstallation)).toBeUndefined()
  })
})

test.each<[boolean, string, readonly DomainEvent[]]>([
  [false, 'what is wanted', [edge.requested, edge.intended()]],
  [true, 'what was released', [edge.requested, edge.intended(), edge.released]],
  [
    false,
    'what was said to be absent',
    [edge.requested, edge.intended(), edge.released, edge.absent()],
  ],
  [
    true,
    'what was absent for a while before its release',
    [edge.requested, edge.intended(), edge.absent(), edge.intended(), edge.released],
  ],
  [
    false,
    'a life that ended before the one that is leaving now',
    [
      edge.requested,
      edge.intended(),
      edge.released,
      edge.absent(),
      edge.over,
      edge.requested,
      edge.released,
    ],
  ],
  [true, 'what another driver took over', [...moving, edge.deleting(1, 'moved')]],
])('an absence is owed (%s) of %s', async (owed, _of, events) => {
  expect(owesAbsence(tellResource(await storyOf(events), marks.key))).toBe(owed)
})

test('places forget what is over, and count what must exist by driver', async () => {
  const places = createPlaces()
  for (const said of await storyOf(moving)) places.take(said)
  expect([places.expected('edge'), places.expected('octavia'), places.size()]).toEqual([1, 1, 1])
  const ended = [...moving, edge.deleting(1, 'moved'), edge.released, cloud.absent(2), edge.over]
  const over = createPlaces()
  for (const said of await storyOf(ended)) over.take(said)
  expect([over.expected('edge'), over.expected('octavia'), over.size()]).toEqual([0, 0, 0])
})
