import { hash32, type Random } from './random.ts'
import { createTimeline } from './timeline.ts'
import { turn } from './tripwires.ts'

/** Something that can happen next. */
export interface Effect {
  readonly label: string
  /** More for people, asked for only while a trace is kept. */
  readonly detail?: () => string
  /** Whose continuation this is; undefined for the world's own doing, such as a request that arrives. */
  readonly of?: Continuing
  /** Not before this virtual instant. */
  readonly due: number
  readonly run: () => void
  /** It need not happen any more. */
  readonly cancelled?: () => boolean
}

/** A process as the scheduler sees it. */
export interface Continuing {
  alive(): boolean
  /** It does nothing before this virtual instant. */
  pausedUntil(): number
}

/** One choice that was made: which of how many, and what it was. */
export interface Choice {
  readonly at: number
  readonly label: string
  readonly detail: string
  readonly of: number
}

export interface SchedulerOptions {
  readonly start: number
  /** Which of `count` effects is next; 0 is the one that waits longest. */
  readonly choose: (count: number) => number
  /** Called after every step, with everything settled. */
  readonly afterStep: () => void
  /** Keeps every choice, for people. */
  readonly trace?: (choice: Choice) => void
  /** Labels of an earlier run of the same seed: the first that differs ends this one. */
  readonly expected?: readonly string[]
}

export interface Scheduler {
  now(): number
  add(effect: Effect): void
  /** Runs until `over` says so, nothing can happen, or the virtual time is reached. */
  run(until: { readonly time: number; readonly over?: () => boolean }): Promise<void>
  steps(): number
  /** A fingerprint of every choice made so far. */
  fingerprint(): number
  labels(): readonly string[]
}

/** The same seed did something else: a source of chance that is not ours. */
export class Divergence extends Error {}

/**
 * Takes one effect at a time: it happens, every promise it settled is followed to its end, and the
 * promises of the system are checked, before the next one is chosen. Virtual time moves only when
 * nothing can happen now.
 */
export const createScheduler = (options: SchedulerOptions): Scheduler => {
  const { choose, afterStep, trace, expected } = options
  const later = createTimeline<Effect>(({ due }) => due)
  const ready: Effect[] = []
  const labels: string[] = []
  let now = options.start
  let steps = 0
  let fingerprint = 0

  const add = (effect: Effect): void => {
    if (effect.due <= now) ready.push(effect)
    else later.push(effect)
  }
  const isOver = (effect: Effect): boolean =>
    effect.cancelled?.() === true || effect.of?.alive() === false

  /** Makes ready what is due; moves the clock when nothing is. False when nothing is left before `end`. */
  const refill = (end: number): boolean => {
    for (;;) {
      while ((later.peek()?.due ?? Infinity) <= now) {
        const effect = later.pop()
        if (effect !== undefined && !isOver(effect)) ready.push(effect)
      }
      if (ready.length > 0) return true
      const next = later.peek()
      if (next === undefined || next.due > end) return false
      if (isOver(next)) later.pop()
      else now = next.due
    }
  }

  const take = (): Effect | undefined => {
    const index = choose(ready.length)
    const [effect] = ready.splice(index, 1)
    if (effect === undefined || isOver(effect)) return undefined
    const until = effect.of?.pausedUntil() ?? 0
    if (until > now) {
      later.push({ ...effect, due: until })
      return undefined
    }
    note(effect, ready.length + 1)
    return effect
  }

  const note = (effect: Effect, of: number): void => {
    const { label } = effect
    fingerprint = hash32(label, fingerprint ^ of)
    if (trace !== undefined || expected !== undefined) labels.push(label)
    const should = expected?.[steps]
    if (should !== undefined && should !== label) {
      throw new Divergence(`step ${steps} was "${should}" and is "${label}" now`)
    }
    trace?.({ at: now, label, detail: effect.detail?.() ?? '', of })
  }

  return {
    now: () => now,
    add,
    steps: () => steps,
    fingerprint: () => fingerprint,
    labels: () => labels,
    run: async ({ time, over }) => {
      for (;;) {
        if (over?.() === true || !refill(time)) break
        const effect = take()
        if (effect === undefined) continue
        steps += 1
        effect.run()
        await turn()
        afterStep()
      }
      if (over?.() !== true && now < time) now = time
    },
  }
}

/** Chooses by chance, with a weight on what has waited. */
export const byChance =
  (random: Random) =>
  (count: number): number =>
    random.int(count)

/** Always the one that waits longest: a run without surprises. */
export const inOrder = (): number => 0
