import type { DesiredResource, EdgeReport } from '@weir/contract'
import type { Flows } from '../driver.ts'

/**
 * Where the edges that serve as told send new flows: to a node that any of them sends to, with the greatest
 * weight. Undefined while not all of them tell of every node, as edges of an earlier version.
 */
export const flowsOf = (
  desired: DesiredResource | undefined,
  reports: readonly EdgeReport[],
): Flows | undefined => {
  if (desired === undefined || reports.length === 0) return undefined
  const nodes = new Map<string, { readonly weight: number; readonly problem: string | null }>()
  for (const { targets } of reports) {
    for (const { node, flows: weight, problem } of targets) {
      if (weight === undefined) return undefined
      const known = nodes.get(node)
      if (known === undefined || weight > known.weight) nodes.set(node, { weight, problem })
    }
  }
  const since = reports.map(({ flowsSince }) => flowsSince)
  const newest = since.reduce((a, b) => (a !== undefined && b !== undefined && a > b ? a : b))
  const isWhole = desired.targets.every(({ node }) => nodes.has(node))
  if (!isWhole || newest === undefined || since.includes(undefined)) return undefined
  return { nodes, since: newest }
}
