import { createKeyedQueue } from '@weir/kernel'
import type { Api } from './api.ts'
import type { KubeNode, Pod } from './objects.ts'
import { persist, type Patience } from './persist.ts'
import { chooseNode } from './schedule.ts'

export interface BinderOptions extends Patience {
  readonly api: Api
  /** The hollow nodes that the API knows, in their own order. */
  readonly nodes: () => readonly KubeNode[]
  readonly pods: () => ReadonlyMap<string, Pod>
}

const concurrentWrites = 16

const isPending = ({ metadata, spec, status }: Pod): boolean =>
  spec.nodeName === undefined &&
  metadata.deletionTimestamp === undefined &&
  (spec.schedulerName ?? 'default-scheduler') === 'default-scheduler' &&
  status?.phase !== 'Failed'

/** The scheduler: `look` binds every pod that waits for a node, or says why it must go on waiting. */
export const createBinder = (options: BinderOptions): { look(): void } => {
  const { api, clock } = options
  const queue = createKeyedQueue(concurrentWrites)
  /** Where we have sent pods whose binding the watch has not shown yet, by uid. */
  const assumed = new Map<string, string>()
  let looking = false

  const bind = async (pod: Pod, uid: string, node: string): Promise<void> => {
    const { name, namespace = 'default' } = pod.metadata
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/binding`
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    }
    const bound = await persist(options, () => api.call({ method: 'POST', path, body }))
    if (!bound) assumed.delete(uid)
  }

  const explain = async (pod: Pod, message: string): Promise<void> => {
    const told = pod.status?.conditions?.find((one) => one.type === 'PodScheduled')
    if (told?.message === message) return
    const { name, namespace = 'default', uid } = pod.metadata
    const lastTransitionTime = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const scheduled = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime,
    }
    const others = pod.status?.conditions?.filter((one) => one.type !== 'PodScheduled') ?? []
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`
    const body = { metadata: { uid }, status: { conditions: [...others, scheduled] } }
    await persist(options, () => api.call({ method: 'PATCH', path, body }))
  }

  const pass = (): void => {
    looking = false
    const pods = [...options.pods().values()]
    const waiting = pods.filter(isPending)
    const known = new Set(waiting.map((pod) => pod.metadata.uid))
    for (const uid of assumed.keys()) if (!known.has(uid)) assumed.delete(uid)
    if (waiting.length === 0) return
    const placed = pods.flatMap((pod) => {
      const node = pod.spec.nodeName ?? assumed.get(pod.metadata.uid ?? '')
      return node === undefined ? [] : [{ node, pod }]
    })
    const nodes = options.nodes()
    for (const pod of waiting) {
      const uid = pod.metadata.uid ?? ''
      if (assumed.has(uid)) continue
      const choice = chooseNode(pod, nodes, placed)
      if (choice.status === 'Chosen') {
        assumed.set(uid, choice.node)
        placed.push({ node: choice.node, pod })
        void queue.run(uid, () => bind(pod, uid, choice.node))
      } else {
        void queue.run(uid, () => explain(pod, choice.message))
      }
    }
  }
  return {
    // Many changes in one turn of the loop make one pass.
    look: () => {
      if (looking) return
      looking = true
      setImmediate(pass)
    },
  }
}
