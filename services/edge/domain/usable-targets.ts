import type { Target } from '@weir/contract'
import { isReturning, type NodeHealth } from './health.ts'

/** A node that takes new flows; the weight is above 0. */
export interface WeightedTarget {
  readonly node: string
  readonly ip: string
  readonly weight: number
}

const mayServe = (health: NodeHealth): boolean =>
  health.state === 'healthy' || (health.state === 'unknown' && health.lastWord === 'none')

const saidNo = (health: NodeHealth): boolean => health.lastWord === 'not-ready'

/**
 * The nodes that take new flows, with their weights.
 *
 * 1. An ordered weight of 0 is never used: the node drains.
 * 2. Healthy nodes, and nodes that were never heard of yet: the order comes from someone who saw the
 *    node ready, the first probe takes a few milliseconds, and a connection that fails goes to the next
 *    node; waiting would refuse the first client of every new Service.
 * 3. If that leaves none: nodes that fell silent and answer again, though they are not trusted yet.
 * 4. If that leaves none: nodes that never said no. Silence of all may be the prober's fault, and a set
 *    must not be emptied by that. A node that said no has no pods to answer, so it stays out.
 *
 * The weight that a node tells of itself replaces the ordered one.
 */
export const usableTargets = (
  targets: readonly Target[],
  healthOf: (target: Target) => NodeHealth,
): readonly WeightedTarget[] => {
  const known = targets
    .filter((target) => target.weight > 0)
    .map((target) => ({ target, health: healthOf(target) }))
  const choices = [mayServe, isReturning, (health: NodeHealth): boolean => !saidNo(health)]
  const chosen = choices
    .map((fits) => known.filter(({ health }) => fits(health)))
    .find((nodes) => nodes.length > 0)
  return (chosen ?? []).map(({ target, health }) => ({
    node: target.node,
    ip: target.ip,
    weight: health.weight ?? target.weight,
  }))
}
