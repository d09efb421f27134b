import type { KubeNode, NodeRequirement, NodeSelectorTerm, Pod, Taint } from './objects.ts'

/** Most pods that one hollow node runs: the host part of its 10.244.n.0/24. */
export const podsPerNode = 250

const meets = (
  { key, operator, values = [] }: NodeRequirement,
  actual: string | undefined,
): boolean => {
  switch (operator) {
    case 'In':
      return actual !== undefined && values.includes(actual)
    case 'NotIn':
      return actual === undefined || !values.includes(actual)
    case 'Exists':
      return actual !== undefined
    case 'DoesNotExist':
      return actual === undefined
    case 'Gt':
      return actual !== undefined && Number(actual) > Number(values[0])
    case 'Lt':
      return actual !== undefined && Number(actual) < Number(values[0])
    default:
      throw new RangeError(`operator ${operator} on node label ${key} is none of the API's`)
  }
}

const matchesTerm = (term: NodeSelectorTerm, { metadata }: KubeNode): boolean =>
  (term.matchExpressions ?? []).every((rule) => meets(rule, metadata.labels?.[rule.key])) &&
  (term.matchFields ?? []).every((rule) => meets(rule, metadata.name))

const tolerates = (pod: Pod, taint: Taint): boolean =>
  (pod.spec.tolerations ?? []).some(
    ({ key, operator = 'Equal', value = '', effect }) =>
      (key === undefined ? operator === 'Exists' : key === taint.key) &&
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (operator === 'Exists' || value === (taint.value ?? '')),
  )

const cordon: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }

/** The first rule that keeps the pod off the node, in the scheduler's words; undefined when none. */
const obstacle = (pod: Pod, node: KubeNode): string | undefined => {
  if (node.metadata.deletionTimestamp !== undefined) return 'is being deleted'
  if (node.spec?.unschedulable === true && !tolerates(pod, cordon)) return 'was unschedulable'
  const taints = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule' && taint.key !== cordon.key,
  )
  const taint = taints.find((one) => !tolerates(pod, one))
  if (taint) return `had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  const labels = node.metadata.labels ?? {}
  const selected = Object.entries(pod.spec.nodeSelector ?? {}).every(
    ([key, value]) => labels[key] === value,
  )
  const affinity = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
  const terms = affinity?.nodeSelectorTerms
  if (selected && (terms === undefined || terms.some((term) => matchesTerm(term, node)))) {
    return undefined
  }
  return "didn't match Pod's node affinity/selector"
}

export type Choice =
  | { readonly status: 'Chosen'; readonly node: string }
  | { readonly status: 'Unschedulable'; readonly message: string }

/**
 * The node for a pod: of those that may run it, the one with the fewest pods of the same owner, then
 * the fewest pods, then the first in `nodes`. `placed` are the pods that have a node.
 */
export const chooseNode = (
  pod: Pod,
  nodes: readonly KubeNode[],
  placed: Iterable<{ readonly node: string; readonly pod: Pod }>,
): Choice => {
  const owner = pod.metadata.ownerReferences?.[0]?.uid
  const counts = new Map(nodes.map((node) => [node.metadata.name, { siblings: 0, pods: 0 }]))
  for (const other of placed) {
    const count = counts.get(other.node)
    if (!count) continue
    count.pods += 1
    if (owner !== undefined && other.pod.metadata.ownerReferences?.[0]?.uid === owner) {
      count.siblings += 1
    }
  }
  const reasons = new Map<string, number>()
  let best: { name: string; siblings: number; pods: number } | undefined
  for (const node of nodes) {
    const count = counts.get(node.metadata.name) ?? { siblings: 0, pods: 0 }
    const reason = obstacle(pod, node) ?? (count.pods < podsPerNode ? undefined : 'Too many pods')
    if (reason !== undefined) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      continue
    }
    const better =
      best === undefined ||
      count.siblings < best.siblings ||
      (count.siblings === best.siblings && count.pods < best.pods)
    if (better) best = { name: node.metadata.name, ...count }
  }
  if (best) return { status: 'Chosen', node: best.name }
  const told = [...reasons].map(([reason, count]) => `${count} node(s) ${reason}`).join(', ')
  return { status: 'Unschedulable', message: `0/${nodes.length} nodes are available: ${told}.` }
}
