import type { WeightedTarget } from './usable-targets.ts'

/**
 * A smooth weighted round robin: over any run of choices each target has its share within one choice or
 * two, which weighted chance reaches only after thousands (measured: 400 draws at 75/25 miss by more
 * than 5 points once in fifty).
 */
export interface Rotation {
  /** The next target that is not in `except`. */
  next(except: ReadonlySet<string>): WeightedTarget | undefined
  /** Other targets or weights from now on; a target that stays keeps its place. */
  retarget(targets: readonly WeightedTarget[]): void
}

interface Place {
  readonly target: WeightedTarget
  /** How much of its share the target has waited for. */
  credit: number
}

/**
 * @param random a number in [0, 1) per new target: without it the first connection of every Service
 *   would meet on the same node.
 */
export const createRotation = (random: () => number): Rotation => {
  let places: readonly Place[] = []
  return {
    next: (except) => {
      let best: Place | undefined
      let total = 0
      for (const place of places) {
        if (except.has(place.target.node)) continue
        total += place.target.weight
        place.credit += place.target.weight
        if (!best || place.credit > best.credit) best = place
      }
      if (best) best.credit -= total
      return best?.target
    },
    retarget: (targets) => {
      const kept = new Map(places.map((place) => [place.target.node, place.credit]))
      // Credit is in units of the total weight, so it is scaled when that changes.
      const scale = totalOf(targets) / Math.max(totalOf(places.map((place) => place.target)), 1)
      places = targets.map((target) => {
        const credit = kept.get(target.node)
        return { target, credit: credit === undefined ? random() * target.weight : credit * scale }
      })
    },
  }
}

const totalOf = (targets: readonly WeightedTarget[]): number =>
  targets.reduce((sum, target) => sum + target.weight, 0)
