// Where new flows go at a simulated provider: each node is out for some of the time, and comes back by itself.
import { fnv1a, type DesiredResource } from '@weir/contract'
import type { Flows } from '@weir/drivers'

/** How long a node stays as it is, milliseconds: longer than a telling takes to settle, near the pace of looks. */
const spellMs = 40_000
/** One spell of so many is out. */
const outOf = 8

/** The same for the same moment, so that a schedule can be repeated. */
export const flowsAt = ({ targets }: DesiredResource, now: number): Flows => {
  const spell = Math.floor(now / spellMs)
  return {
    nodes: new Map(
      targets.map(({ node, weight }) => {
        const isOut = fnv1a(`${node}/${spell}`) % outOf === 0
        return [node, { weight: isOut ? 0 : weight, problem: isOut ? 'answered 503' : null }]
      }),
    ),
    since: new Date(spell * spellMs).toISOString(),
  }
}
