import { eventually } from '@weir/testing'
import { expect, test } from 'vitest'
import { keepRunning, type Running } from './keep-running.ts'

interface Part extends Running {
  readonly crash: (how: string) => void
}

/** A part that runs until it crashes or is stopped; the starts named in `failing` reject. */
const partsThat = (failing: readonly number[]) => {
  const started: Part[] = []
  let attempts = 0
  const start = async (): Promise<Part> => {
    attempts += 1
    if (failing.includes(attempts)) throw new Error(`start ${attempts} failed`)
    const { promise: ended, resolve: crash } = Promise.withResolvers<string>()
    const part = { ended, crash, stop: async () => crash('stopped') }
    started.push(part)
    return part
  }
  return { started, start, attempts: () => attempts }
}

test('a part that ends by itself is started again, also when a start fails', async () => {
  const { started, start, attempts } = partsThat([2])
  const told: string[] = []
  const onRestart = (name: string, how: string): void => void told.push(`${name}: ${how}`)
  const kept = await keepRunning({ name: 'bus', start, onRestart })
  kept.first.crash('SIGKILL')
  await eventually(() => started.length === 2)
  expect(attempts()).toBe(3)
  expect(told).toEqual(['bus: SIGKILL', 'bus: start 2 failed'])
  await kept.stop()
  expect(await started[1]?.ended).toBe('stopped')
})

test('a part that was stopped stays away, also when it had just crashed', async () => {
  const { started, start } = partsThat([])
  const kept = await keepRunning({ name: 'bus', start, onRestart: () => undefined })
  kept.first.crash('SIGKILL')
  await kept.stop()
  expect(started).toHaveLength(1)
})

test('a first start that fails is told to whoever asked', async () => {
  const { start } = partsThat([1])
  const kept = keepRunning({ name: 'bus', start, onRestart: () => undefined })
  await expect(kept).rejects.toThrow('start 1 failed')
})
