import { ApiError } from '@weir/kube'
import { OperatingError } from '@weir/kernel'
import type { Actor, Fate } from './scheduler/actor.ts'
import { plainFate } from './scheduler/actor.ts'
import type { Random } from './scheduler/random.ts'

/** Everything that can go wrong, by the name that the summary counts it under. */
export const faultKinds = [
  'crash',
  'pause past a lease',
  'clock jump',
  'lost reply',
  'delay',
  'log error',
  'duplicate',
  'reorder',
  'missed event',
  'poison message',
  'bus wipe',
  'bus away',
  'watch cut',
  'api 410',
  'api conflict',
  'api error',
  'stale read',
  'provider error',
  'provider throttle',
  'provider eventual consistency',
  'premature 404',
] as const
export type FaultKind = (typeof faultKinds)[number]

export type Counts = Record<FaultKind, number>
export const noCounts = (): Counts =>
  Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Counts

/** How likely each fault is where it can happen: per call, per message, or per second for processes. */
export type Chances = Readonly<Record<FaultKind, number>>

/** What a call is made of. */
export type CallKind =
  | 'log-read'
  | 'log-write'
  | 'bus'
  | 'kube-read'
  | 'kube-write'
  | 'kube-watch'
  | 'provider-read'
  | 'provider-write'

/** Decides what goes wrong. Everything is decided by one stream of chance, and counted. */
export interface FaultPlan {
  readonly counts: Counts
  /** Whether this happens here and now; counted if it does. */
  strikes(kind: FaultKind, times?: number): boolean
  fateOf(kind: CallKind, actor: Actor): Fate
  /** Whether a list leaves an item out: the API server serves an old state once. */
  lies(list: string): boolean
  lineDelayMs(): number
  /** Up to `most` milliseconds, by chance: mostly little. */
  someMs(most: number): number
  /** Up to `most` milliseconds, each as likely as another. */
  anyMs(most: number): number
  /** Registers a watch that may be cut. */
  onCut(actor: Actor, cut: () => void): void
  cutWatches(): void
  /** From now on nothing goes wrong. */
  heal(): void
  healed(): boolean
}

export const noChances: Chances = noCounts()

export const createFaultPlan = (chances: Chances, random: Random): FaultPlan => {
  const counts = noCounts()
  const watches = new Set<{ readonly actor: Actor; readonly cut: () => void }>()
  let isHealed = false
  /** Lists whose last answer was a lie. */
  const lied = new Set<string>()
  const strikes = (kind: FaultKind, times = 1): boolean => {
    if (isHealed || !random.chance(chances[kind] * times)) return false
    counts[kind] += 1
    return true
  }
  const someMs = (most: number): number => Math.floor(random.next() ** 3 * most)

  const errorOf = (kind: CallKind): Error | undefined => {
    switch (kind) {
      case 'log-read':
      case 'log-write':
        return strikes('log error') ? new OperatingError('the log does not answer') : undefined
      case 'kube-write':
        return strikes('api error') ? pickApiError(random) : undefined
      case 'kube-read':
        return strikes('api error') ? pickApiError(random) : undefined
      case 'kube-watch':
        if (strikes('api 410')) return apiError(410, 'Expired')
        return strikes('api error') ? pickApiError(random) : undefined
      case 'provider-read':
      case 'provider-write':
        return strikes('provider error')
          ? new OperatingError('the provider answered 503')
          : undefined
      case 'bus':
        return undefined
    }
  }

  return {
    counts,
    strikes,
    someMs,
    anyMs: (most) => Math.floor(random.next() * most),
    fateOf: (kind, actor) => {
      if (isHealed) return plainFate
      const fails = errorOf(kind)
      const lost = fails === undefined && strikes('lost reply')
      const again = kind === 'provider-write' && strikes('duplicate')
      const thereMs = strikes('delay') ? someMs(longestMs) : 0
      const backMs = strikes('delay') ? someMs(longestMs) : 0
      return {
        thereMs,
        backMs,
        ...(fails === undefined ? {} : { fails }),
        ...(lost ? { lost: new OperatingError(`no answer to ${actor.name}: timed out`) } : {}),
        ...(again ? { againMs: someMs(longestMs) } : {}),
      }
    },
    // Two lists in a row that lie alike are no fault but another cluster's state.
    lies: (list) => {
      const lie = !lied.has(list) && strikes('stale read')
      if (lie) lied.add(list)
      else lied.delete(list)
      return lie
    },
    lineDelayMs: () => (strikes('delay') ? someMs(longestMs) : 0),
    onCut: (actor, cut) => {
      const watch = { actor, cut }
      watches.add(watch)
      actor.onDeath(() => watches.delete(watch))
    },
    cutWatches: () => {
      for (const watch of watches) {
        watches.delete(watch)
        watch.cut()
      }
    },
    heal: () => {
      isHealed = true
    },
    healed: () => isHealed,
  }
}

/** No call is under way longer than this: every client and every server gives up before. */
export const longestMs = 5000

const apiError = (status: number, reason: string): ApiError =>
  new ApiError(`the API server answered ${status} ${reason}`, { status, reason })

const pickApiError = (random: Random): ApiError =>
  random.pick([
    apiError(429, 'TooManyRequests'),
    apiError(500, 'InternalError'),
    apiError(503, 'ServiceUnavailable'),
  ])
