import { expect, test } from 'vitest'
import { createPending } from './pending.ts'

const watch = (promise: Promise<void>) => {
  const state = { resolved: false }
  void promise.then(() => (state.resolved = true))
  return async () => {
    await Promise.resolve()
    return state.resolved
  }
}

test('whoever waits is told once all that was asked for is told', async () => {
  const pending = createPending()
  const isBoth = watch(pending.add(['a', 'b']))
  const turn = pending.begin()
  expect(turn.addresses).toEqual(['a', 'b'])
  const isLater = watch(pending.add(['b', 'c']))
  pending.done(turn)
  expect([await isBoth(), await isLater()]).toEqual([false, false])
  const rest = pending.begin()
  expect(rest.addresses).toEqual(['b', 'c'])
  pending.done(rest)
  expect([await isBoth(), await isLater()]).toEqual([true, true])
})

test('what failed is told again', async () => {
  const pending = createPending()
  const isTold = watch(pending.add(['a']))
  pending.begin()
  pending.again()
  expect(await isTold()).toBe(false)
  const turn = pending.begin()
  expect(turn.addresses).toEqual(['a'])
  pending.done(turn)
  expect(await isTold()).toBe(true)
  expect(pending.size()).toBe(0)
})

test('nobody waits for what is given up, and it is told all the same', async () => {
  const pending = createPending()
  const isA = watch(pending.add(['a']))
  const isB = watch(pending.add(['b']))
  pending.giveUp((address) => address === 'a')
  expect([await isA(), await isB()]).toEqual([true, false])
  expect(pending.begin().addresses).toEqual(['a', 'b'])
})

test('nothing to tell is told at once', async () => {
  expect(await watch(createPending().add([]))()).toBe(true)
})
