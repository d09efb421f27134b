import type { RecordedEvent, Target } from '@weir/contract'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { asOrdered, changeOfFlows, toldAfterOrder, toldOf } from './flows.ts'
import type { FlowsTold } from './state.ts'

type State = Parameters<typeof changeOfFlows>[0]
type Sight = Parameters<typeof changeOfFlows>[1]

const names = ['a', 'b', 'c', '__proto__']
const weights = fc.dictionary(fc.constantFrom(...names), fc.nat({ max: 3 }), {
  noNullPrototype: true,
})
const targetsOf = (ordered: Readonly<Record<string, number>>): Target[] =>
  Object.entries(ordered).map(([node, weight]) => ({ node, ip: '10.0.0.1' as never, weight }))
const stateOf = (targets: Target[], flows: FlowsTold): State =>
  ({ key: 'edge-x', epoch: 1, generation: 1, desired: { targets }, flows }) as never
const sightOf = (seen: Readonly<Record<string, number>>): Sight =>
  ({
    confirmedBy: ['edge-1'],
    flows: {
      since: '2026-01-01T00:00:00.000Z',
      nodes: new Map(
        Object.entries(seen).map(([node, weight]) => [node, { weight, problem: null }]),
      ),
    },
  }) as never
const start = Date.parse('2026-01-01T01:00:00Z')
const hourMs = 3_600_000

/** What the log says after a look at `now`, and whether that look told anything. */
const look = (
  targets: Target[],
  told: FlowsTold,
  { seen, now }: { readonly seen: Readonly<Record<string, number>>; readonly now: number },
): { readonly told: FlowsTold; readonly isTold: boolean } => {
  const state = stateOf(targets, told)
  const step = changeOfFlows(state, sightOf(seen), now)
  if (step?.step !== 'record') return { told, isTold: false }
  const recordedtime = new Date(now).toISOString()
  const [event] = step.events
  return { told: toldOf(state, { ...event, recordedtime } as RecordedEvent as never), isTold: true }
}

test('whatever is seen, once it is told the log says it, and it is not told twice', () => {
  fc.assert(
    fc.property(weights, fc.array(weights), (ordered, sights) => {
      const targets = targetsOf(ordered)
      let told = asOrdered
      sights.forEach((seen, nth) => {
        const now = start + nth * hourMs
        told = look(targets, told, { seen, now }).told
        for (const { node, weight } of targets) {
          const goes = Object.hasOwn(seen, node) ? seen[node] : weight
          expect(told.weights.get(node) ?? weight).toBe(goes)
        }
        expect(look(targets, told, { seen, now: now + hourMs - 1 }).isTold).toBe(false)
      })
    }),
  )
})

test('whatever flaps, in any hour there are eleven tellings at most', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 200 }), (pauses) => {
      const targets = targetsOf({ a: 1 })
      let [told, now] = [asOrdered, start]
      const times: number[] = []
      pauses.forEach((seconds, nth) => {
        now += seconds * 1000
        const looked = look(targets, told, { seen: { a: nth % 2 }, now })
        told = looked.told
        if (looked.isTold) times.push(now)
      })
      for (const time of times) {
        const within = times.filter((other) => other >= time && other < time + hourMs)
        expect(within.length).toBeLessThanOrEqual(11)
      }
    }),
  )
})

test('another order keeps who is out, and drops other shares and nodes that are not ordered', () => {
  const told = {
    weights: new Map([
      ['out', 0],
      ['gone', 0],
      ['more', 5],
      ['drains', 0],
    ]),
    at: null,
    run: 1,
  }
  const after = toldAfterOrder(told, targetsOf({ out: 2, more: 2, drains: 0 }))
  expect([...after.weights]).toEqual([['out', 0]])
})
