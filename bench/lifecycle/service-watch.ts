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
 * Resolves when the watch is open. A busy API server cuts watches, so one that ends is taken up where
 * it ended; what cannot be taken up ends the process.
 */
export const watchServices = async (
  connection: KubeConnection,
  label: string,
  handle: (change: ServiceChange) => void,
  signal: AbortSignal,
): Promise<void> => {
  const selector = `labelSelector=${encodeURIComponent(label)}`
  const list = await connection.call({ method: 'GET', path: `${servicesPath}?${selector}` })
  let version = (list as { metadata: { resourceVersion: string } }).metadata.resourceVersion
  const open = (): Promise<AsyncIterable<Uint8Array>> => {
    const query = `watch=true&resourceVersion=${version}&timeoutSeconds=3600&${selector}`
    return connection.stream(`${servicesPath}?${query}`, signal)
  }
  const read = async (first: AsyncIterable<Uint8Array>): Promise<void> => {
    for (let parts = first; !signal.aborted; parts = await open()) {
      for await (const line of linesOf(parts)) {
        const change = JSON.parse(line) as ServiceChange
        version = change.object.metadata.resourceVersion
        handle(change)
      }
    }
  }
  void read(await open()).catch((error: unknown) => {
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
