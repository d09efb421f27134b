/** Which node each client was sent to, for Services with ClientIP affinity. */
export interface AffinityTable {
  /** The client's node, unless its last flow began more than `timeoutMs` ago. */
  nodeOf(client: string, now: number, timeoutMs: number): string | undefined
  /** A flow of the client began on the node. */
  remember(client: string, node: string, now: number): void
  clear(): void
  readonly size: number
}

/** @param clientsMax beyond it the client that was quiet longest is forgotten. */
export const createAffinityTable = (clientsMax: number): AffinityTable => {
  // Insertion order is order of last use, so the first entry is the one to forget.
  const seen = new Map<string, { readonly node: string; readonly at: number }>()
  return {
    nodeOf: (client, now, timeoutMs) => {
      const last = seen.get(client)
      if (!last) return undefined
      if (now - last.at <= timeoutMs) return last.node
      seen.delete(client)
      return undefined
    },
    remember: (client, node, now) => {
      seen.delete(client)
      seen.set(client, { node, at: now })
      if (seen.size <= clientsMax) return
      const oldest = seen.keys().next()
      if (!oldest.done) seen.delete(oldest.value)
    },
    clear: () => seen.clear(),
    get size() {
      return seen.size
    },
  }
}
