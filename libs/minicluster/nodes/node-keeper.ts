import { OperatingError, backoffMs, explainError } from '@weir/kernel'
import type { HollowNodeSpec } from '../minicluster.ts'
import { ApiError, type Api } from './api.ts'
import { isTrue, type KubeNode } from './objects.ts'
import type { Patience } from './persist.ts'
import { podsPerNode } from './schedule.ts'

export interface NodeKeeperOptions extends Patience {
  readonly api: Api
  readonly spec: HollowNodeSpec
  /** What the API says of the node now. */
  readonly current: () => KubeNode | undefined
}

/** Keeps one Node object alive, as a kubelet does. */
export interface NodeKeeper {
  /** Resolves when the Node is there, with our labels and Ready. Throws when that takes too long. */
  register(): Promise<void>
  /** Renews the Lease, and repairs Ready, until the signal aborts. */
  keep(): Promise<void>
}

const renewEveryMs = 10_000
const registerWithinMs = 60_000
const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'

const statusOf = ({ name, address }: HollowNodeSpec, version: string, now: string) => {
  const size = { cpu: '16', memory: '64Gi', pods: `${podsPerNode}`, 'ephemeral-storage': '100Gi' }
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    message: `hollow node: ${reason}`,
    lastHeartbeatTime: now,
    lastTransitionTime: now,
  })
  return {
    capacity: size,
    allocatable: size,
    addresses: [
      { type: 'InternalIP', address },
      { type: 'Hostname', address: name },
    ],
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
      condition('Ready', 'True', 'KubeletReady'),
    ],
    nodeInfo: {
      machineID: name,
      systemUUID: name,
      bootID: name,
      kernelVersion: 'hollow',
      osImage: 'weir hollow node',
      containerRuntimeVersion: 'hollow://1.0.0',
      kubeletVersion: version,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  }
}

export const createNodeKeeper = (options: NodeKeeperOptions): NodeKeeper => {
  const { api, spec, clock, ids, signal } = options
  const path = `/api/v1/nodes/${spec.name}`
  const labels = {
    'kubernetes.io/hostname': spec.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'amd64',
    ...spec.labels,
  }
  const isoNow = (): string => new Date(clock.now()).toISOString()

  const report = async (): Promise<void> => {
    const { gitVersion } = await api.call<{ gitVersion: string }>({
      method: 'GET',
      path: '/version',
    })
    const status = statusOf(spec, gitVersion, isoNow().replace(/\.\d+Z$/, 'Z'))
    await api.call({ method: 'PATCH', path: `${path}/status`, body: { status } })
  }
  const create = async (): Promise<void> => {
    const metadata = { name: spec.name, labels }
    const node = { apiVersion: 'v1', kind: 'Node', metadata }
    try {
      await api.call({ method: 'POST', path: '/api/v1/nodes', body: node })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 409) throw error
      await api.call({ method: 'PATCH', path, body: { metadata: { labels } } })
    }
  }
  const renew = async (): Promise<void> => {
    const renewTime = isoNow().replace('Z', '000Z')
    const times = { holderIdentity: spec.name, leaseDurationSeconds: 40, renewTime }
    try {
      await api.call({
        method: 'PATCH',
        path: `${leases}/${spec.name}`,
        body: { spec: times },
      })
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error
      const { metadata } = await api.call<KubeNode>({ method: 'GET', path })
      const owner = { apiVersion: 'v1', kind: 'Node', name: spec.name, uid: metadata.uid }
      const lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { name: spec.name, ownerReferences: [owner] },
        spec: times,
      }
      await api.call({ method: 'POST', path: leases, body: lease })
    }
  }

  return {
    register: async () => {
      const deadline = clock.now() + registerWithinMs
      for (let attempt = 1; !signal.aborted; attempt += 1) {
        try {
          await create()
          await report()
          return await renew()
        } catch (cause) {
          const message = `node ${spec.name} could not register`
          if (clock.now() > deadline) throw new OperatingError(message, { cause })
          const wait = backoffMs({ minMs: 50, maxMs: 2_000 }, attempt, ids.random())
          await clock.sleep(wait, signal)
        }
      }
    },
    // A Node that somebody deleted stays deleted until the next start, as with a real kubelet.
    keep: async () => {
      for (;;) {
        await clock.sleep(renewEveryMs, signal)
        const node = options.current()
        if (signal.aborted) return
        if (!node) continue
        try {
          await renew()
          if (!isTrue(node.status?.conditions, 'Ready')) await report()
        } catch (error) {
          if (!signal.aborted) options.onTrouble(`node ${spec.name}: ${explainError(error)}`)
        }
      }
    },
  }
}
