import type { KubeConnection } from '@weir/kube'

/** The Services of the bench, and their collection on the API server. */
export const namespace = 'default'
export const servicesPath = `/api/v1/namespaces/${namespace}/services`

/** What both the bench and the bare client read of a Service. */
export interface ServiceObject {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
    readonly finalizers?: readonly string[]
    readonly deletionTimestamp?: string
  }
  readonly spec: { readonly loadBalancerClass?: string }
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { ip?: string }[] } }
}

/** The first address that a Service's status shows. */
export const addressOf = ({ status }: ServiceObject): string | undefined =>
  status?.loadBalancer?.ingress?.[0]?.ip

export interface ServiceChange {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: ServiceObject
}

/**
 * Watches the Services with a label from now on, on a connection of its own, until `signal` aborts.
 * Resolves when the watch is open; a watch that ends by itself ends the process with its error.
 */
export const watchServices = async (
  connection: KubeConnection,
  label: string,
  handle: (change: ServiceChange) => void,
  signal: AbortSignal,
): Promise<void> => {
  const selector = `labelSelector=${encodeURIComponent(label)}`
  const list = await connection.call({ method: 'GET', path: `${servicesPath}?${selector}` })
  const from = (list as { metadata: { resourceVersion: string } }).metadata.resourceVersion
  const query = `watch=true&resourceVersion=${from}&timeoutSeconds=3600&${selector}`
  const parts = await connection.stream(`${servicesPath}?${query}`, signal)
  const read = async (): Promise<void> => {
    for await (const line of linesOf(parts)) handle(JSON.parse(line) as ServiceChange)
    if (!signal.aborted) throw new Error('the API server ended the watch of the bench')
  }
  void read().catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

async function* linesOf(parts: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const part of parts) {
    const lines = (rest + decoder.decode(part, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
