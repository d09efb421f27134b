import { expect, test } from 'vitest'
import { createVouching } from './vouching.ts'

const atClock = () => {
  let now = 0
  return { now: () => now, pass: (ms: number) => void (now += ms) }
}

test('a table that takes long to read is read less often, and vouched for as long', async () => {
  const clock = atClock()
  const vouching = createVouching(clock, 60_000)
  const { promise, resolve } = Promise.withResolvers<void>()
  const looking = vouching.note(() => promise)
  clock.pass(30_000)
  resolve()
  await looking
  clock.pass(599_999)
  expect(vouching.isDue()).toBe(false)
  clock.pass(1)
  expect(vouching.isDue()).toBe(true)
  clock.pass(600_000)
  expect(vouching.doubt()).toBeUndefined()
})

test('a comparison that goes on is vouched for however long it takes, one that hangs is not', async () => {
  const clock = atClock()
  const vouching = createVouching(clock, 60_000)
  const { promise, resolve } = Promise.withResolvers<void>()
  let tellGoesOn = (): void => undefined
  const comparing = vouching.note((goesOn) => {
    tellGoesOn = goesOn
    return promise
  })
  for (let minute = 0; minute < 10; minute += 1) {
    clock.pass(60_000)
    tellGoesOn()
    expect(vouching.doubt()).toBeUndefined()
  }
  clock.pass(210_000)
  expect(vouching.doubt()).toBe('no look at the kernel’s table ended in 210 s')
  resolve()
  await comparing
  expect(vouching.doubt()).toBeUndefined()
})

test('a small table is read every minute, and at once when something went wrong', async () => {
  const clock = atClock()
  const vouching = createVouching(clock, 60_000)
  await vouching.note(() => Promise.resolve())
  clock.pass(59_999)
  expect(vouching.isDue()).toBe(false)
  vouching.suspect()
  expect(vouching.isDue()).toBe(true)
})
