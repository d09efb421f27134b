import { readFileSync } from 'node:fs'
import {
  createConnection,
  parseKubeconfig,
  rbacManifest,
  withOwnNetworks,
  type KubeConnection,
} from '@weir/kube'
import { z } from 'zod'
import { createClient, type ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, ok, print, show, tell, type Format } from '../output.ts'
import { openSession, type SessionFlags } from '../session.ts'

interface ConnectFlags extends SessionFlags {
  readonly kubeconfig?: string
  readonly context?: string
  readonly name: string
  readonly nodeCidr?: readonly string[]
  readonly driver?: string
  readonly defaultClass: boolean
}

/**
 * Without `--kubeconfig` prints the objects that give weir the rights it needs, for `kubectl apply -f -`.
 * With it, connects the cluster with those credentials.
 */
export const clusterConnect = async (flags: ConnectFlags): Promise<void> => {
  if (flags.kubeconfig === undefined) {
    tell(
      '# The least rights that weir needs. Apply them, make a kubeconfig for the account, and connect:',
    )
    tell('#   weir cluster connect | kubectl apply -f -')
    tell('#   weir cluster connect --kubeconfig FILE')
    return print(rbacManifest())
  }
  const text = read(flags.kubeconfig)
  const credentials = parseKubeconfig(text, flags.context)
  // The user's own machine may look at its own cluster; the platform's policy is the watcher's.
  const connection = createConnection(credentials, { policy: withOwnNetworks })
  const id = await identityOf(connection)
  const client = createClient(openSession(flags))
  const body = {
    id,
    name: flags.name,
    kubeconfig: text,
    defaultClass: flags.defaultClass,
    ...(flags.context === undefined ? {} : { context: flags.context }),
    ...(flags.driver === undefined ? {} : { driver: flags.driver }),
    ...(flags.nodeCidr === undefined ? {} : { nodeCidrs: flags.nodeCidr }),
  }
  await client.send('POST', `/v1/tenants/${client.tenant}/clusters`, body, z.unknown())
  ok(`cluster ${flags.name} (${id}) is connected for tenant ${client.tenant}`)
}

const listed = z.object({
  items: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string(),
      driver: z.string(),
      missing: z.object({ missing: z.number(), of: z.number() }).nullable(),
      failing: z.array(z.looseObject({ pool: z.string().nullable(), nodes: z.array(z.string()) })),
    }),
  ),
})
type Listed = z.infer<typeof listed>['items'][number]

/** Prints the tenant's clusters, and where Services are missing that nobody has approved as gone. */
export const clusterList = async (
  client: ApiClient,
  flags: { readonly output: Format },
): Promise<void> => {
  const { items } = await client.get(`/v1/tenants/${client.tenant}/clusters`, listed)
  show(flags.output, items, items, [
    { heading: 'NAME', cell: ({ name }) => name },
    { heading: 'ID', cell: ({ id }) => id },
    { heading: 'DRIVER', cell: ({ driver }) => driver },
    { heading: 'HELD BACK', cell: heldBackText },
    { heading: 'NODES', cell: nodesText },
  ])
}

const heldBackText = ({ name, missing }: Listed): string =>
  missing === null
    ? '-'
    : `${missing.missing} of ${missing.of} Services are missing; if they are gone: weir cluster approve-absence ${name}`

/** Which nodes keep the cluster's driver from serving, and what to do. */
const nodesText = ({ name, driver, failing }: Listed): string => {
  if (failing.length === 0) return '-'
  const nodes = failing.flatMap((each) => each.nodes)
  return (
    `${nodes.join(', ')} cannot answer clients with a load balancer's address as the source (rp_filter, anti-spoofing); ` +
    `proxies stand in if there is a fleet of them; once it is mended: weir cluster set-driver ${name} ${driver}`
  )
}

/** Has another driver make the load balancers of a cluster; those that are there move, one by one. */
export const clusterSetDriver = async (
  client: ApiClient,
  { name, driver }: { readonly name: string; readonly driver: string },
  flags: { readonly output: Format },
): Promise<void> => {
  const only = await findCluster(client, name)
  const changed = await client.send('PATCH', only.path, { driver }, z.unknown())
  answer(flags.output, changed, () =>
    ok(`cluster ${only.name}: load balancers without a class of their own move to ${driver}`),
  )
}

/** Says that Services which are missing in a cluster are gone: what was made for them goes, too. */
export const clusterApproveAbsence = async (client: ApiClient, name: string): Promise<void> => {
  const only = await findCluster(client, name)
  await client.send('POST', `${only.path}/approve-absence`, {}, z.unknown())
  ok(`cluster ${only.name}: what is missing now is taken for gone, and released`)
}

const findCluster = async (
  client: ApiClient,
  name: string,
): Promise<{ readonly name: string; readonly path: string }> => {
  const path = `/v1/tenants/${client.tenant}/clusters`
  const { items } = await client.get(path, listed)
  const found = items.filter((each) => each.id === name || each.name === name)
  const [only] = found
  if (only === undefined) throw new CommandFailed('notFound', `there is no cluster ${name}`)
  if (found.length > 1) {
    const ids = found.map(({ id }) => id).join(', ')
    throw new CommandFailed('usage', `several clusters are called ${name}`, `say which: ${ids}`)
  }
  return { name: only.name, path: `${path}/${only.id}` }
}

const identityOf = async (connection: KubeConnection): Promise<string> => {
  try {
    return await connection.identity()
  } finally {
    await connection.close()
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unknown reason'
    throw new CommandFailed('usage', `cannot read the kubeconfig ${path}: ${why}`)
  }
}
