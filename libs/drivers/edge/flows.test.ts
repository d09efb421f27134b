import type { EdgeReport, TargetHealth } from '@weir/contract'
import { expect, test } from 'vitest'
import { desiredOf } from '../sample-desired.ts'
import { flowsOf } from './flows.ts'

const desired = desiredOf(1, {
  targets: ['n1', 'n2'].map((node) => ({ node, ip: '127.0.0.11' as never, weight: 1 })),
})
const early = '2026-01-01T00:00:00.000Z'
const late = '2026-01-01T00:00:09.000Z'
const node = (
  name: string,
  flows: number | undefined,
  problem: string | null = null,
): TargetHealth => ({
  node: name,
  state: 'unknown',
  weight: null,
  problem,
  ...(flows === undefined ? {} : { flows }),
})
const report = (targets: readonly TargetHealth[], flowsSince: string | undefined): EdgeReport =>
  ({ targets, flowsSince }) as never
const whole = report([node('n1', 1), node('n2', 0, 'answered 503')], early)

test('flows go where any edge sends them, since the last of them does so', () => {
  const other = report([node('n1', 0, 'no answer'), node('n2', 0, 'no answer')], late)
  const flows = flowsOf(desired, [whole, other])
  expect(flows?.since).toBe(late)
  expect(Object.fromEntries(flows?.nodes ?? [])).toEqual({
    n1: { weight: 1, problem: null },
    n2: { weight: 0, problem: 'answered 503' },
  })
})

test.each<[string, readonly EdgeReport[]]>([
  ['no edge serves as told', []],
  ['an edge of an earlier version serves too', [whole, report([node('n1', undefined)], undefined)]],
  ['an edge does not say since when', [whole, report([node('n1', 1), node('n2', 1)], undefined)]],
  ['a node is missing', [report([node('n1', 1)], early)]],
])('nothing is told of flows while %s', (_why, reports) => {
  expect(flowsOf(desired, reports)).toBeUndefined()
})

test('nothing is told of flows that nobody ordered', () => {
  expect(flowsOf(undefined, [whole])).toBeUndefined()
})
