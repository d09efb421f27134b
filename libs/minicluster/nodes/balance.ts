import type { Clock, Ids } from '@weir/kernel'
import type { Endpoint, NodePortRule } from './rules.ts'

/** Chooses endpoints for one node port, remembering clients while the Service has affinity. */
export interface Balance {
  /** Any endpoint of the rule with equal chance, or the one that this client had last. */
  choose(rule: NodePortRule, client: string): Endpoint | undefined
}

const mostClients = 10_000

export const createBalance = (clock: Clock, ids: Ids): Balance => {
  // Insertion order is order of last use, so the first entry is the one to forget.
  const seen = new Map<string, { readonly address: string; readonly at: number }>()
  return {
    choose: (rule, client) => {
      const any = rule.endpoints[Math.floor(ids.random() * rule.endpoints.length)]
      if (rule.affinityMs === undefined) {
        seen.clear()
        return any
      }
      const now = clock.now()
      const last = seen.get(client)
      const kept =
        last && now - last.at <= rule.affinityMs
          ? rule.endpoints.find((endpoint) => endpoint.address === last.address)
          : undefined
      const chosen = kept ?? any
      if (!chosen) return undefined
      seen.delete(client)
      seen.set(client, { address: chosen.address, at: now })
      const oldest = seen.size > mostClients ? seen.keys().next() : undefined
      if (oldest && !oldest.done) seen.delete(oldest.value)
      return chosen
    },
  }
}
