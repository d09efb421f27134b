import type { EdgeOrder, OwnershipMarks } from '@weir/contract'

/**
 * What an edge does about an order, given the one it holds for the same resource:
 *
 *   held           order                     verdict
 *   nothing        any                       obey
 *   any            greater version           obey
 *   any            equal version, same       repeated: answer again, change nothing
 *   any            equal version, different  contradicts: two writers; keep what we have
 *   any            lesser version            late: an older incarnation must not undo a newer
 *
 * A version is (epoch, generation), and a tombstone comes after the generation that it names. That no
 * order is seen has no meaning at all: the bus forgets, and then we go on as before.
 */
export type Verdict = 'obey' | 'repeated' | 'contradicts' | 'late'

/** The marks of the resource that an order is about. */
export const marksOf = (order: EdgeOrder): OwnershipMarks =>
  order.order === 'serve' ? order.desired.marks : order.marks

/** The generation that an order states. */
export const generationOf = (order: EdgeOrder): number =>
  order.order === 'serve' ? order.desired.generation : order.generation

const versionOf = (order: EdgeOrder): readonly [number, number, number] => [
  marksOf(order).epoch,
  generationOf(order),
  order.order === 'remove' ? 1 : 0,
]

/** Negative when `a` is of a lesser version than `b`, 0 when equal, positive when greater. */
export const compareVersions = (a: EdgeOrder, b: EdgeOrder): number => {
  const [left, right] = [versionOf(a), versionOf(b)]
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2]
}

/**
 * @param sameContent whether two orders of equal version say the same thing.
 */
export const decide = (
  held: EdgeOrder | undefined,
  order: EdgeOrder,
  sameContent: (a: EdgeOrder, b: EdgeOrder) => boolean,
): Verdict => {
  if (!held) return 'obey'
  const difference = compareVersions(order, held)
  if (difference > 0) return 'obey'
  if (difference < 0) return 'late'
  return sameContent(held, order) ? 'repeated' : 'contradicts'
}
