import { systemClock } from '@weir/kernel'
import { createConnection, isApiError, parseKubeconfig, withOwnNetworks } from '@weir/kube'
import { nodeAddresses, nodeNames, type NodeName } from './places.ts'

const reportEveryMs = 5000

/**
 * Registers the lab's Nodes and goes on saying that they are Ready, as kubelets would. One that somebody deleted
 * stays deleted.
 */
export const keepNodes = async (kubeconfig: string): Promise<void> => {
  const kube = createConnection(parseKubeconfig(kubeconfig), { policy: withOwnNetworks })
  const report = async (node: NodeName, status: object): Promise<void> => {
    await kube.call({
      method: 'PATCH',
      path: `/api/v1/nodes/${node}/status`,
      contentType: 'application/merge-patch+json',
      body: { status },
    })
  }
  const now = (): string => new Date(systemClock.now()).toISOString()
  const register = async (node: NodeName): Promise<void> => {
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: node } }
    try {
      await kube.call({ method: 'POST', path: '/api/v1/nodes', body })
    } catch (error) {
      if (!isApiError(error, 409)) throw error
    }
    await report(node, { ...addressesOf(Object.values(nodeAddresses(node))), ...readyAt(now()) })
  }
  const goOn = async (node: NodeName): Promise<void> => {
    try {
      await report(node, readyAt(now()))
    } catch (error) {
      if (!isApiError(error, 404)) throw error
    }
  }
  const keep = async (): Promise<never> => {
    for (;;) {
      await systemClock.sleep(reportEveryMs)
      await Promise.all(nodeNames.map(goOn))
    }
  }
  await Promise.all(nodeNames.map(register))
  // A report that fails ends this process, whose end every test sees.
  void keep()
}

/** The part of a Node's status that says where it is. */
export const addressesOf = (addresses: readonly string[]) => ({
  addresses: addresses.map((address) => ({ type: 'InternalIP', address })),
})

const readyAt = (now: string) => ({
  conditions: [
    {
      type: 'Ready',
      status: 'True',
      reason: 'KubeletReady',
      message: 'a node of the lab',
      lastHeartbeatTime: now.replace(/\.\d+Z$/, 'Z'),
      lastTransitionTime: now.replace(/\.\d+Z$/, 'Z'),
    },
  ],
})
