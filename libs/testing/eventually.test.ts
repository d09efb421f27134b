import { expect, test } from 'vitest'
import { eventually } from './eventually.ts'

test('resolves with the value once the condition holds', async () => {
  let asked = 0
  const value = await eventually(() => ((asked += 1) < 3 ? undefined : 'there'))
  expect(value).toBe('there')
  expect(asked).toBe(3)
})

test('an assertion that fails is asked again', async () => {
  let seen = 0
  await eventually(() => {
    seen += 1
    expect(seen).toBeGreaterThan(2)
    return true
  })
  expect(seen).toBe(3)
})

test('gives up after its deadline with what the last try said', async () => {
  const never = eventually(() => Promise.reject(new Error('no address yet')), { deadlineMs: 20 })
  await expect(never).rejects.toThrow('not within 20 ms: no address yet')
})
