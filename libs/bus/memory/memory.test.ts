import { systemClock } from '@weir/kernel'
import { eventually, seeded, seededRandom } from '@weir/testing'
import { expect, onTestFinished, test } from 'vitest'
import { holdsTheBusPromises } from '../bus.conformance.ts'
import type { Bus, IncomingMessage } from '../bus.ts'
import { createMemoryBus, type MemoryBus } from './memory-bus.ts'
import type { Misbehaviour } from './misbehaviour.ts'
import { matches } from './subject.ts'

holdsTheBusPromises('the bus in memory', async () => {
  const numbers = seededRandom(1)
  const bus = createMemoryBus({ clock: systemClock, random: () => numbers.random() })
  return {
    connect: async () => bus.connect(),
    restart: async () => bus.restart(),
    wipe: async () => bus.wipe(),
    kill: async () => bus.kill(),
    loseConsumer: async (stream, durable) => bus.loseConsumer(stream, durable),
    loseStream: async (stream) => bus.loseStream(stream),
    stop: async () => bus.close(),
  }
})

test.each([
  ['a.b', 'a.b', true],
  ['a.b', 'a.c', false],
  ['a.b', 'a', false],
  ['a', 'a.b', false],
  ['a.*', 'a.b', true],
  ['a.*', 'a.b.c', false],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['*.b.>', 'a.b.c', true],
])('the filter %s and the subject %s match: %s', (filter, subject, expected) => {
  expect(matches(filter, subject)).toBe(expected)
})

test('on request it delivers twice', async () => {
  const seen = await deliver(200, { duplicate: 1 })
  await eventually(() => seen.length === 400)
  expect(new Set(seen.map((message) => message.body)).size).toBe(200)
})

test('on request it delivers out of order', async () => {
  const seen = await deliver(200, { reorder: 0.5 })
  await eventually(() => seen.length === 200)
  const order = seen.map((message) => message.streamSequence)
  expect(order).not.toEqual([...order].sort((a, b) => a - b))
})

test('on request it loses messages for ever', async () => {
  const seen = await deliver(200, { drop: 0.5 })
  await eventually(() => seen.some((message) => message.body === 'end'))
  expect(seen.length).toBeGreaterThan(20)
  expect(seen.length).toBeLessThan(180)
})

/** What a consumer sees of `count` messages; `end` is published after the misbehaviour. */
const deliver = async (count: number, rule: Misbehaviour): Promise<IncomingMessage[]> => {
  const numbers = seeded()
  const random = (): number => numbers.random()
  const bus = createMemoryBus({ clock: systemClock, random, misbehave: rule })
  const seen = collect(bus)
  await bus.publish(
    Array.from({ length: count }, (_, index) => ({ subject: 'weir.evt.0.a', body: `${index}` })),
  )
  if (rule.drop !== undefined) publishEnd(bus)
  return seen
}

const publishEnd = (bus: MemoryBus): void => {
  bus.misbehave({})
  void bus.publish([{ subject: 'weir.evt.0.a', body: 'end' }])
}

const collect = (bus: Bus): IncomingMessage[] => {
  const seen: IncomingMessage[] = []
  const stop = new AbortController()
  const ended = bus.consume({
    stream: 'EVT',
    filter: 'weir.evt.>',
    from: 'new',
    signal: stop.signal,
    handle: async (messages) => void seen.push(...messages),
  })
  onTestFinished(() => {
    stop.abort()
    return ended
  })
  return seen
}
