import { createMemoryBus } from '@weir/bus'
import {
  edgeAnswer,
  edgeAnswerSubject,
  edgeId,
  edgeLooking,
  edgeQuestionSubject,
  type EdgeAnswer,
} from '@weir/contract'
import { OperatingError, silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { expect, test } from 'vitest'
import { createHolding } from './holding.ts'
import { answerQuestions } from './inspector.ts'
import { desiredOf, fleet, removeOrder, serveOrder } from './rig/orders.ts'
import type { DataPlane, Inspection } from './data-plane/data-plane.ts'

const repaired = {
  at: '2026-01-01T00:00:00.000Z',
  elements: 1,
  examples: ['fe 203.0.113.10 . 6 . 80 was missing'],
}
const desired = [1, 2, 3].map((port) =>
  desiredOf({
    frontends: [{ ip: '203.0.113.10', protocol: 'TCP', port, nodePort: 30_000 + port }],
    targets: [{ node: 'n1', ip: '10.0.0.21', weight: 1 }],
  }),
)

/** Asks an edge that holds `desired`, and one resource that is removed; the answers' parts. */
const ask = async (inspect: () => Promise<Inspection>) => {
  const life = new AbortController()
  const bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
  const orders = [
    ...desired.map(serveOrder),
    removeOrder(desiredOf({ frontends: [], targets: [] })),
  ]
  const holdings = orders.map((order) => createHolding(order, { status: 'saved' }, 0))
  for (const holding of holdings) holding.outcome = { status: 'serving' }
  const plane: Pick<DataPlane, 'kind' | 'inspect'> = { kind: 'kernel', inspect }
  answerQuestions({
    returns: () => [],
    bus,
    fleet,
    edge: edgeId.parse('edge-1'),
    startedAt: '2026-01-01T00:00:00.000Z',
    plane: plane as DataPlane,
    holdings: new Map(
      holdings.map((holding) => [
        (holding.order.order === 'serve' ? holding.order.desired.marks : holding.order.marks).key,
        holding,
      ]),
    ),
    clock: systemClock,
    log: silentLogger,
    signal: life.signal,
    partMax: 2,
  })
  const id = systemIds.uuid()
  const parts: EdgeAnswer[] = []
  const take = (body: string): void => {
    const said: unknown = JSON.parse(body)
    if (edgeLooking.safeParse(said).success) looking.push(parts.length)
    else parts.push(edgeAnswer.parse(said))
  }
  const looking: number[] = []
  bus.onHint(edgeAnswerSubject(id), take, life.signal)
  bus.hint(edgeQuestionSubject(fleet), 'what is that')
  bus.hint(edgeQuestionSubject(fleet), JSON.stringify({ id }))
  await eventually(() => parts.length > 0 && parts.length === parts[0]?.part.count)
  life.abort()
  await bus.close()
  // It says at once that it was heard, before anything else.
  expect(looking).toEqual([0])
  return parts
}

test('an edge that is asked looks, and tells what it serves and what it made good, in parts', async () => {
  const [first] = desired
  const flows = first && new Map([[first.marks.key, 7]])
  const parts = await ask(async () => ({ repaired, flows, problem: null }))
  expect(parts.map(({ resources }) => resources.length)).toEqual([2, 1])
  expect(parts.map((part) => part.repaired)).toEqual([repaired, repaired])
  const told = parts.flatMap(({ resources }) => resources)
  expect(told.map(({ marks }) => marks.key)).toEqual(desired.map(({ marks }) => marks.key))
  expect(told[0]).toMatchObject({
    generation: 1,
    state: 'serving',
    frontends: [{ ip: '203.0.113.10', protocol: 'TCP', port: 1 }],
    flows: 7,
  })
  expect(told[1]?.flows).toBeNull()
})

test('an edge that cannot look says why, and tells what it holds all the same', async () => {
  const parts = await ask(async () => {
    throw new OperatingError('nft: Operation not permitted')
  })
  expect(parts.map(({ problem }) => problem)).toEqual(
    parts.map(() => 'it cannot look at its table: nft: Operation not permitted'),
  )
  expect(parts.flatMap(({ resources }) => resources)).toHaveLength(3)
})
