import {
  edgeHeartbeatSubject,
  edgeId,
  fleetName,
  type EdgeHeartbeat,
  type OwnershipMarks,
} from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { desiredOf } from '../sample-desired.ts'
import { createFleetView } from './fleet-view.ts'

const fleet = fleetName.parse('local')
const edge = edgeId.parse('one')
const now = Date.parse('2026-01-01T00:00:00Z')
const held = (...numbers: readonly number[]) =>
  numbers.map((number) => ({ marks: desiredOf(number).marks, generation: 1 }))
const beat = (
  part: EdgeHeartbeat['part'],
  resources: readonly { marks: OwnershipMarks; generation: number }[],
  at = now,
) => ({
  subject: edgeHeartbeatSubject(fleet, edge, part?.number),
  body: JSON.stringify({
    fleet,
    edge,
    dataPlane: 'userspace',
    startedAt: '2026-01-01T00:00:00Z',
    at: new Date(at).toISOString(),
    ...(part === undefined ? {} : { part }),
    resources,
  }),
})
const partsOf = (revision: string, at = now) =>
  [1, 2, 3].map((one, number) => beat({ number, count: 3, revision }, held(one), at))
const newView = () => createFleetView(fleet, { silentAfterMs: 15_000, goneAfterMs: 300_000 }, 10)
const keysIn = (view: ReturnType<typeof newView>, at = now) =>
  view.edges(at).flatMap(({ heartbeat }) => heartbeat.resources.map(({ marks }) => marks.key))
const standing = (view: ReturnType<typeof newView>, at = now) => view.edges(at)[0]?.standing

describe('an inventory in parts', () => {
  test.each([[[0, 1, 2]], [[0, 2, 1]], [[1, 0, 2]], [[1, 2, 0]], [[2, 0, 1]], [[2, 1, 0]]])(
    'is one when all parts are there, in the order %j',
    (order) => {
      const view = newView()
      const parts = partsOf('a')
      for (const [nth, number] of order.entries()) {
        expect(view.take(parts[number]!, now)).toEqual({ status: 'taken', changes: [] })
        const complete = nth === 2
        expect(standing(view)).toBe(complete ? 'live' : 'silent')
        expect(view.unread(now)).toEqual(complete ? [] : [edge])
      }
      expect(keysIn(view)).toEqual([1, 2, 3].map((number) => desiredOf(number).marks.key))
    },
  )

  test('is none of parts of two revisions', () => {
    const view = newView()
    const [first, second] = [partsOf('a'), partsOf('b')]
    for (const message of [first[0]!, second[1]!, first[2]!]) view.take(message, now)
    expect(view.unread(now)).toEqual([edge])
    view.take(first[1]!, now)
    expect(view.unread(now)).toEqual([])
  })

  test('stays as it was until a newer revision is all there, and what changed is told then', () => {
    const view = newView()
    for (const message of partsOf('a')) view.take(message, now)
    const later = now + 5_000
    view.take(beat({ number: 0, count: 2, revision: 'b' }, held(1), later), later)
    expect(keysIn(view)).toHaveLength(3)
    const last = view.take(beat({ number: 1, count: 2, revision: 'b' }, held(4), later), later)
    expect(last).toMatchObject({ status: 'taken', changes: [{}, {}, {}] })
    expect(keysIn(view)).toEqual([1, 4].map((number) => desiredOf(number).marks.key))
  })

  test('that is never completed lets its edge grow silent, and never live again', () => {
    const view = newView()
    for (const message of partsOf('a')) view.take(message, now)
    const later = now + 20_000
    view.take(beat({ number: 0, count: 2, revision: 'b' }, held(1), later), later)
    expect(standing(view, later)).toBe('silent')
  })

  test('is confirmed by its first part alone while nothing changes', () => {
    const view = newView()
    for (const message of partsOf('a')) view.take(message, now)
    const later = now + 20_000
    view.take(partsOf('a', later)[0]!, later)
    expect(standing(view, later)).toBe('live')
    expect(keysIn(view)).toHaveLength(3)
  })

  test('of an edge that died long ago counts by its own time', () => {
    const view = newView()
    const muchLater = now + 400_000
    for (const message of partsOf('a').toReversed()) view.take(message, muchLater)
    expect(standing(view, muchLater)).toBe('gone')
  })

  test('gives way to a heartbeat that tells all, whatever parts are left over', () => {
    const view = newView()
    const leftOver = partsOf('a')[2]!
    view.take(leftOver, now)
    view.take(beat(undefined, held(7)), now)
    view.take(leftOver, now)
    expect(keysIn(view)).toEqual([desiredOf(7).marks.key])
    expect(standing(view)).toBe('live')
  })

  test('is refused under the subject of another part', () => {
    const [, { body }] = partsOf('a') as [unknown, { body: string }]
    const subject = edgeHeartbeatSubject(fleet, edge, 2)
    expect(newView().take({ subject, body }, now)).toMatchObject({ status: 'rejected' })
  })
})
