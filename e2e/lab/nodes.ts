import { systemClock } from '@weir/kernel'
import { createConnection, isApiError, parseKubeconfig, withOwnNetworks } from '@weir/kube'
import { nodeAddresses, nodeNames, type NodeName } from './places.ts'

const reportEveryMs = 5000

/** Registers the lab's Nodes and goes on saying that they are Ready, as kubelets would. */
export const keepNodes = async (kubeconfig: string): Promise<void> => {
  const kube = createConnection(parseKubeconfig(kubeconfig), { policy: withOwnNetworks })
  const report = async (node: NodeName): Promise<void> => {
    await kube.call({
      method: 'PATCH',
      path: `/api/v1/nodes/${node}/status`,
      contentType: 'application/merge-patch+json',
      body: { status: statusOf(node, new Date(systemClock.now()).toISOString()) },
    })
  }
  const register = async (node: NodeName): Promise<void> => {
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: node } }
    try {
      await kube.call({ method: 'POST', path: '/api/v1/nodes', body })
    } catch (error) {
      if (!isApiError(error, 409)) throw error
    }
    await report(node)
  }
  const keep = async (): Promise<never> => {
    for (;;) {
      await systemClock.sleep(reportEveryMs)
      await Promise.all(nodeNames.map(report))
    }
  }
  await Promise.all(nodeNames.map(register))
  // A report that fails ends this process, whose end every test sees.
  void keep()
}

const statusOf = (node: NodeName, now: string) => ({
  addresses: nodeAddresses(node).map((address) => ({ type: 'InternalIP', address })),
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
