import { systemIds } from '@weir/kernel'
import { onTestFailed } from 'vitest'

/** Repeatable randomness: the same seed gives the same numbers. */
export interface SeededRandom {
  readonly seed: number
  /** In [0, 1). */
  readonly random: () => number
  /** A whole number in [0, below). */
  readonly below: (below: number) => number
}

/**
 * Randomness for a test, which prints its seed when the test fails. To repeat a failure, pass the
 * printed seed; call it inside the test.
 */
export const seeded = (seed: number = Math.floor(systemIds.random() * 2 ** 32)): SeededRandom => {
  onTestFailed(({ task }) => {
    process.stderr.write(`${task.name}: repeat it with seeded(${seed})\n`)
  })
  return seededRandom(seed)
}

/** Mulberry32: 32 bits of state, a full period, and good enough to shuffle test steps. */
export const seededRandom = (seed: number): SeededRandom => {
  let state = seed >>> 0
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { seed, random, below: (below) => Math.floor(random() * below) }
}
