import { driverName, installationId } from '@weir/contract'
import { createMemoryDriver } from '@weir/drivers'
import { expect, test } from 'vitest'
import { createOpenDrivers } from './open-drivers.ts'

/** A driver that listens by itself, and whether it does. */
const listener = () => {
  const state = { listening: false }
  const driver = {
    ...createMemoryDriver({ name: 'fleet', installation: installationId.parse('test') }),
    run: async (signal: AbortSignal) => {
      state.listening = true
      await new Promise((over) => signal.addEventListener('abort', over, { once: true }))
      state.listening = false
    },
  }
  return { driver, state }
}
const [one, other] = [driverName.parse('one'), driverName.parse('other')]

test('a driver listens from when it is put until another takes its place, or all end', async () => {
  const open = createOpenDrivers()
  const stop = new AbortController()
  const [first, second, third] = [listener(), listener(), listener()]
  open.put(one, first.driver)
  expect(first.state.listening).toBe(false)
  const running = open.run(stop.signal)
  expect(first.state.listening).toBe(true)

  open.put(other, second.driver)
  open.put(one, third.driver)
  await Promise.resolve()
  const listening = [first, second, third].map(({ state }) => state.listening)
  expect(listening).toEqual([false, true, true])

  stop.abort()
  await running
  expect([second, third].map(({ state }) => state.listening)).toEqual([false, false])
})
