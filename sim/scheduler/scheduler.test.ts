import { expect, test } from 'vitest'
import { createActor, plainFate } from './actor.ts'
import { createRandom } from './random.ts'
import { byChance, createScheduler, Divergence, inOrder, type Choice } from './scheduler.ts'
import { createTimeline } from './timeline.ts'
import { installTripwires } from './tripwires.ts'

const quiet = { start: 0, afterStep: () => undefined }

/** Three processes that write their names in turns; the order is the scheduler's. */
const wander = async (seed: string, expected?: readonly string[]) => {
  const written: string[] = []
  const choices: Choice[] = []
  const random = createRandom(seed)
  const scheduler = createScheduler({
    ...quiet,
    choose: byChance(random),
    trace: (choice) => void choices.push(choice),
    ...(expected === undefined ? {} : { expected }),
  })
  for (const name of ['a', 'b', 'c']) {
    const actor = createActor(name, scheduler, random.fork(name))
    const go = async (): Promise<void> => {
      for (let number = 0; number < 4; number += 1) {
        const call = { label: 'write', fate: plainFate }
        await actor.call(call, async () => written.push(`${name}${number}`))
        await actor.clock.sleep(10)
      }
    }
    void go()
  }
  await scheduler.run({ time: 1000 })
  return { written, choices, scheduler, labels: scheduler.labels() }
}

test('the same seed takes the same steps', async () => {
  const [first, again] = [await wander('one'), await wander('one')]
  expect(again.written).toEqual(first.written)
  expect(again.scheduler.fingerprint()).toBe(first.scheduler.fingerprint())
})

test('another seed takes others', async () => {
  const [one, two] = [await wander('one'), await wander('two')]
  expect(two.written).not.toEqual(one.written)
})

test('a replay that does something else fails loudly, at the step', async () => {
  const { labels } = await wander('one')
  const altered = labels.map((label, index) => (index === 5 ? 'something else' : label))
  await expect(wander('one', altered)).rejects.toThrow(Divergence)
  await expect(wander('one', altered)).rejects.toThrow('step 5')
})

test('virtual time moves only when nothing can happen', async () => {
  const { choices } = await wander('one')
  const times = choices.map(({ at }) => at)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(new Set(times)).toEqual(new Set([0, 10, 20, 30, 40]))
})

const alone = () => {
  const scheduler = createScheduler({ ...quiet, choose: inOrder })
  return { scheduler, actor: createActor('one', scheduler, createRandom('x')) }
}

test('a process that is killed hears of nothing, and what arrived stays', async () => {
  const { scheduler, actor } = alone()
  const happened: string[] = []
  const call = { label: 'c', fate: { ...plainFate, backMs: 10 } }
  void actor.call(call, async () => happened.push('effect')).then(() => happened.push('reply'))
  await scheduler.run({ time: 5 })
  actor.kill()
  await scheduler.run({ time: 100 })
  expect(happened).toEqual(['effect'])
})

test('a lost reply is an error to the caller, after the effect', async () => {
  const { scheduler, actor } = alone()
  const happened: string[] = []
  const call = { label: 'c', fate: { ...plainFate, lost: new Error('timed out') } }
  void actor
    .call(call, async () => happened.push('effect'))
    .catch((error: unknown) => happened.push((error as Error).message))
  await scheduler.run({ time: 5 })
  expect(happened).toEqual(['effect', 'timed out'])
})

test('a paused process goes on later, with its clock ahead of what it thought', async () => {
  const { scheduler, actor } = alone()
  const woken: number[] = []
  void actor.clock.sleep(10).then(() => woken.push(actor.clock.now()))
  actor.pause(500)
  await scheduler.run({ time: 1000 })
  expect(woken).toEqual([500])
})

test('a sleep that is aborted ends at once and leaves no step behind', async () => {
  const { scheduler, actor } = alone()
  const nap = new AbortController()
  const sleeping = actor.clock.sleep(1000, nap.signal)
  nap.abort()
  await sleeping
  await scheduler.run({ time: 5000 })
  expect(scheduler.steps()).toBe(0)
})

test('the earliest is first, and equals keep their order', () => {
  const timeline = createTimeline<{ due: number; name: string }>(({ due }) => due)
  const random = createRandom('heap')
  const items = Array.from({ length: 200 }, (_, index) => ({
    due: random.int(20),
    name: `${index}`.padStart(3, '0'),
  }))
  for (const item of items) timeline.push(item)
  const order = items.map(() => timeline.pop())
  expect(order).toEqual(items.toSorted((a, b) => a.due - b.due || (a.name < b.name ? -1 : 1)))
  expect(timeline.peek()).toBeUndefined()
})

test('the machine’s own time and chance are not to be had inside a run', () => {
  const wires = installTripwires()
  try {
    expect(() => Date.now()).toThrow('Date.now was used inside a run')
    expect(() => new Date()).toThrow('inside a run')
    expect(() => Math.random()).toThrow('inside a run')
    expect(() => setTimeout(() => undefined, 1)).toThrow('inside a run')
    expect(new Date(0).toISOString()).toBe('1970-01-01T00:00:00.000Z')
    expect(wires.tripped()).toContain('Date.now')
  } finally {
    wires.remove()
  }
  expect(Date.now()).toBeGreaterThan(0)
  expect(performance.now()).toBeGreaterThan(0)
})
