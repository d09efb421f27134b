// What an operator does before the storm, by weir's own API: drivers with accounts, and cleanup approved.
import { z } from 'zod'
import type { ApiClient } from '../cli/client.ts'
import { instanceOf } from './providers/aws.ts'
import type { Provider } from './providers/provider.ts'
import type { Stage } from './stage.ts'

export const configureDrivers = async (
  api: ApiClient,
  providers: readonly Provider[],
): Promise<void> => {
  for (const { name, account } of providers) {
    if (account !== null) await api.send('POST', '/v1/drivers', { name, ...account }, z.unknown())
  }
}

/** A new installation only observes; without this gc removes nothing. */
export const approveCleanup = async (api: ApiClient): Promise<void> =>
  void (await api.send('POST', '/v1/gc/approve', {}, z.unknown()))

/** Says in each Node which machine of the cloud it is; a kubelet's cloud provider would. */
export const nameInstances = async ({ kube, nodes }: Stage): Promise<void> => {
  for (const { name: node } of nodes) {
    const spec = { providerID: `aws:///eu-central-1a/${instanceOf(node)}` }
    const { status } = await kube.ask('PATCH', `/api/v1/nodes/${node}`, { spec })
    if (status !== 200) throw new Error(`${node} took no providerID: ${status}`)
  }
}
