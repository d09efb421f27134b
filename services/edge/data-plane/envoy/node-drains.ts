import type { DesiredResource, ResourceKey } from '@weir/contract'
import type { Clock } from '@weir/kernel'

/** Where a node takes the flows of a resource. */
export interface NodePort {
  readonly ip: string
  readonly nodePort: number
}

/** Node ports that left an order and whose connections go on for a while. */
export interface NodeDrains {
  /** The order of a resource is `now`. */
  turn(key: ResourceKey, before: DesiredResource | undefined, now: DesiredResource): void
  forget(key: ResourceKey): void
  /** What is over since this was asked last. */
  over(): readonly NodePort[]
}

const textOf = ({ ip, nodePort }: NodePort): string => `${ip} ${nodePort}`

export const createNodeDrains = (drainMs: number, clock: Pick<Clock, 'now'>): NodeDrains => {
  const leaving = new Map<ResourceKey, Map<string, NodePort & { readonly at: number }>>()
  return {
    turn: (key, before, now) => {
      const own = leaving.get(key) ?? new Map<string, NodePort & { readonly at: number }>()
      const ips = new Set<string>(now.targets.map(({ ip }) => ip))
      const left = (before?.targets ?? []).filter(({ ip }) => !ips.has(ip))
      for (const { ip } of left) {
        for (const { nodePort } of before?.frontends ?? []) {
          if (nodePort === undefined) continue
          const port = { ip, nodePort }
          if (!own.has(textOf(port))) own.set(textOf(port), { ...port, at: clock.now() + drainMs })
        }
      }
      for (const [text, { ip }] of own) if (ips.has(ip)) own.delete(text)
      if (own.size > 0) leaving.set(key, own)
      else leaving.delete(key)
    },
    forget: (key) => void leaving.delete(key),
    over: () => {
      const ended: NodePort[] = []
      for (const [key, own] of leaving) {
        for (const [text, { ip, nodePort, at }] of own) {
          if (at > clock.now()) continue
          ended.push({ ip, nodePort })
          own.delete(text)
        }
        if (own.size === 0) leaving.delete(key)
      }
      return ended
    },
  }
}
