import type { EventData, Target } from '@weir/contract'

/** An ordered node that takes no new flows. */
export interface TargetOut {
  readonly node: string
  /** What is wrong with it; null where nobody told. */
  readonly problem: string | null
}

/** Who is out after the log told of health. */
export const outAfterHealth = (
  out: readonly TargetOut[],
  { changes }: EventData<'TargetHealthChanged'>,
): readonly TargetOut[] => {
  const named = new Set(changes.map(({ node }) => node))
  const still = out.filter(({ node }) => !named.has(node))
  const gone = changes.filter(({ after }) => after === 0)
  return [...still, ...gone.map(({ node, problem }) => ({ node, problem }))]
}

/** Who is out after another order: a node that is not to take flows is not out, but ordered so. */
export const outAfterOrder = (
  out: readonly TargetOut[],
  targets: readonly Target[],
): readonly TargetOut[] => {
  const wanted = new Set(targets.filter(({ weight }) => weight > 0).map(({ node }) => node))
  return out.filter(({ node }) => wanted.has(node))
}
