import { eventually } from '@weir/testing'
import { systemClock } from '@weir/kernel'
import { afterEach, expect, test } from 'vitest'
import type { ReturnAnswer } from '../domain/direct-return.ts'
import { createHolding, type Holding } from '../holding.ts'
import { desiredOf, removeOrder, serveOrder } from '../rig/orders.ts'
import { createReturnWatch } from './return-watch.ts'

const stop = { controller: new AbortController() }
afterEach(() => {
  stop.controller.abort()
  stop.controller = new AbortController()
})

const nodes = (...names: readonly string[]) =>
  names.map((node, at) => ({ node, ip: `10.0.0.${at + 1}`, weight: 1 }))
const desired = desiredOf({
  frontends: [{ ip: '203.0.113.10', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  targets: nodes('a', 'b'),
})

/** A resource in force, whose usable nodes are these. */
const holding = (over: Partial<Holding>): Holding => ({
  ...createHolding(serveOrder(desired), { status: 'saved' }, 0),
  outcome: { status: 'serving' },
  targets: nodes('a', 'b'),
  ...over,
})

/** Calls until the test ends; nodes answer as `answers` has it. */
const watch = (held: Holding, answers: Record<string, ReturnAnswer>) => {
  const called: string[] = []
  const watching = createReturnWatch({
    plane: {
      callNode: async ({ node }) => {
        called.push(node)
        return answers[node] ?? 'unknown'
      },
    },
    holdings: () => [held],
    clock: systemClock,
    returnEveryMs: 1,
  })
  void watching.run(stop.controller.signal)
  return { watching, called }
}

test('nodes that take flows are called again and again, and what is found of them is told', async () => {
  const { watching } = watch(holding({}), { a: 'answered', b: 'silent' })
  await eventually(() => watching.findings()[0]?.silent[0])
  expect(watching.findings()).toMatchObject([{ answering: ['a'], silent: [{ node: 'b' }] }])
})

test('nodes that take no flows are not called', async () => {
  const { called } = watch(holding({ targets: nodes('a') }), {})
  await eventually(() => called.length > 3)
  expect(new Set(called)).toEqual(new Set(['a']))
})

test.each([
  ['is refused', holding({ outcome: { status: 'refused', problem: 'the port is taken' } })],
  ['is gone', { ...holding({}), order: removeOrder(desired) }],
])('no node is called for a resource that %s', async (_, held) => {
  const { called } = watch(held, {})
  await systemClock.sleep(20)
  expect(called).toEqual([])
})

test('a data plane that ends connections itself calls nobody', async () => {
  const plane = {}
  const holdings = () => [holding({})]
  const watching = createReturnWatch({ plane, holdings, clock: systemClock, returnEveryMs: 1 })
  await watching.run(stop.controller.signal)
  expect(watching.findings()).toEqual([])
})
