import type { Target } from '@weir/contract'

/** How far a share may be off before it is another one: a slot table of 61 is off by a tenth at most. */
const most = 0.12

/**
 * The weights of nodes, of which only the shares can be seen: as ordered where the shares are those, and
 * else what was counted.
 *
 * @param counted by the address of the node
 */
export const weightsOf = (
  counted: ReadonlyMap<string, number>,
  ordered: readonly Target[],
): readonly { readonly at: string; readonly weight: number }[] => {
  const total = [...counted.values()].reduce((sum, count) => sum + count, 0)
  const wanted = ordered.reduce((sum, { weight }) => sum + weight, 0)
  return [...counted]
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([at, count]) => {
      const weight = ordered.find(({ ip }) => ip === at)?.weight ?? 0
      return { at, weight: Math.abs(count / total - weight / wanted) <= most ? weight : count }
    })
}
