import type { Target } from '@weir/contract'
import type { WeightedTarget } from './usable-targets.ts'

/** What another edge hears of the nodes of a resource. */
export interface OtherWord {
  readonly edge: string
  /** Nodes that are healthy to it, with the weights that they tell; null where they tell none. */
  readonly healthy: readonly { readonly node: string; readonly weight: number | null }[]
}

/**
 * Whether health alone leaves nobody to serve: every node that is ordered to take flows said no to this
 * edge. It is not so when there is no such node: then the order empties the set, and nobody is asked.
 */
export const isEmptiedByHealth = (
  targets: readonly Target[],
  usable: readonly WeightedTarget[],
): boolean => usable.length === 0 && targets.some(({ weight }) => weight > 0)

/**
 * What becomes of a set that is empty by this edge's own word. Two observers empty a set, if there are two:
 *
 *   a node has not said no: it is silent or unclear  the set is not empty (`usableTargets`), nobody is asked
 *   all said no, the others are being asked          it stays as it was
 *   another edge finds nodes healthy                 those serve, with the weights that they told it; asked
 *                                                    again each second. What says no here may not be the
 *                                                    nodes, and where it is they will soon say so there
 *   others answer, and nobody is healthy to them     empty
 *   nobody answers: the only edge, or no bus         empty: each node itself said so, 503 or weight 0
 *   it is empty                                      until a node says yes to this edge; each half minute
 *                                                    the others are asked again, who may not have been there
 *
 * To ask costs nothing: until the answer, clients meet nodes that refuse them instead of an edge that does.
 */
export const withOtherWords = (
  targets: readonly Target[],
  words: readonly OtherWord[],
): readonly WeightedTarget[] =>
  targets
    .filter(({ weight }) => weight > 0)
    .flatMap(({ node, ip, weight }) => {
      const told = words
        .flatMap(({ healthy }) => healthy.filter((one) => one.node === node))
        .map((one) => one.weight ?? weight)
      const most = Math.max(0, ...told)
      return most > 0 ? [{ node, ip, weight: most }] : []
    })
