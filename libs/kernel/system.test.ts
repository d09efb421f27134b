import { describe, expect, test } from 'vitest'
import { systemClock, systemIds } from './system.ts'

describe('ids', () => {
  test('are UUIDs of version 7, variant 1 (RFC 9562 §5.7)', () => {
    const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    for (let count = 0; count < 1000; count += 1) expect(systemIds.uuid()).toMatch(shape)
  })

  test('carry the time they were made at', () => {
    const before = systemClock.now()
    const millis = Number.parseInt(systemIds.uuid().replace('-', '').slice(0, 12), 16)
    expect(millis).toBeGreaterThanOrEqual(before)
    expect(millis).toBeLessThanOrEqual(systemClock.now())
  })

  test('sort by the millisecond they were made in', async () => {
    const earlier = systemIds.uuid()
    await systemClock.sleep(2)
    expect(systemIds.uuid() > earlier).toBe(true)
  })

  test('do not repeat', () => {
    const many = Array.from({ length: 10_000 }, () => systemIds.uuid())
    expect(new Set(many).size).toBe(many.length)
  })
})

test('jitter lies in [0, 1)', () => {
  for (let count = 0; count < 1000; count += 1) {
    const random = systemIds.random()
    expect(random).toBeGreaterThanOrEqual(0)
    expect(random).toBeLessThan(1)
  }
})

describe('a sleep', () => {
  test('ends at once when its signal aborts, or has aborted, without an error', async () => {
    const stop = new AbortController()
    const sleeping = systemClock.sleep(3_600_000, stop.signal)
    stop.abort()
    await expect(sleeping).resolves.toBeUndefined()
    await expect(systemClock.sleep(3_600_000, stop.signal)).resolves.toBeUndefined()
  })

  test('leaves no listener behind', async () => {
    const { signal } = new AbortController()
    const listeners: string[] = []
    const spied = {
      aborted: false,
      addEventListener: (...args: Parameters<AbortSignal['addEventListener']>) => {
        listeners.push(args[0])
        signal.addEventListener(...args)
      },
      removeEventListener: () => listeners.pop(),
    }
    await systemClock.sleep(1, spied as unknown as AbortSignal)
    expect(listeners).toEqual([])
  })
})
