import {
  frontendText,
  type DesiredResource,
  type IpAddress,
  type Port,
  type Protocol,
  type ResourceFrontend,
} from '@weir/contract'
import type { Clock, Ids } from '@weir/kernel'
import { createAffinityTable } from '../../domain/affinity.ts'
import { createRotation, type Rotation } from '../../domain/rotation.ts'
import type { WeightedTarget } from '../../domain/usable-targets.ts'
import { createSourceCheck } from './source-ranges.ts'

/** Where a new flow goes. */
export interface Hop {
  readonly node: string
  readonly ip: string
  readonly nodePort: number
}

/**
 * How one resource sends new flows. All of it is replaced in one step, so a flow sees either the old
 * order or the new one; a flow that began keeps what it was given.
 */
export interface Route {
  update(desired: DesiredResource, targets: readonly WeightedTarget[]): void
  /** Whether a client may use the resource now. */
  admits(client: string): boolean
  /** The node for a new flow, none of `except`; undefined when nobody is left. */
  choose(frontend: string, client: string, except: ReadonlySet<string>): Hop | undefined
  /** Whether `node` takes new flows now. */
  uses(node: string): boolean
  /** Whether the order still names the frontend and the node. */
  orders(frontend: string, node: string): boolean
  /** The local address for connecting to `ip`, so that a pod under `Local` sees its client. */
  sourceFor(client: string, ip: string): string | undefined
  sendsProxyHeader(): boolean
}

export interface RouteOptions {
  readonly clock: Clock
  readonly ids: Ids
  readonly affinityClientsMax: number
  /** Whether the frontend of this name is open on this very machine, whoever's it is. */
  readonly isServedHere: (frontend: string) => boolean
}

interface Current {
  readonly desired: DesiredResource
  readonly targets: ReadonlyMap<string, WeightedTarget>
  /** The address of every node that is ordered, usable or not. */
  readonly ordered: ReadonlyMap<string, IpAddress>
  readonly frontends: ReadonlyMap<string, ResourceFrontend>
  readonly admits: (client: string) => boolean
}

const isLoopback = (ip: string): boolean => ip.startsWith('127.') || ip === '::1'

export const createRoute = (
  options: RouteOptions,
  desired: DesiredResource,
  targets: readonly WeightedTarget[],
): Route => {
  const { clock, ids } = options
  const affinity = createAffinityTable(options.affinityClientsMax)
  const rotations = new Map<string, Rotation>()

  const compile = (
    next: DesiredResource,
    usable: readonly WeightedTarget[],
    before?: Current,
  ): Current => ({
    desired: next,
    targets: new Map(usable.map((target) => [target.node, target])),
    ordered: new Map(next.targets.map(({ node, ip }) => [node, ip])),
    frontends: new Map(next.frontends.map((at) => [frontendText(at), at])),
    // A change of health comes with the same order, whose ranges may be many.
    admits:
      before?.desired.sourceRanges === next.sourceRanges
        ? before.admits
        : createSourceCheck(next.sourceRanges),
  })
  let current = compile(desired, targets)

  const rotationOf = (frontend: string): Rotation => {
    const known = rotations.get(frontend)
    if (known) return known
    const fresh = createRotation(() => ids.random())
    fresh.retarget([...current.targets.values()])
    rotations.set(frontend, fresh)
    return fresh
  }
  const remembered = (client: string): WeightedTarget | undefined => {
    const kind = current.desired.affinity
    if (kind.kind === 'None') return undefined
    const node = affinity.nodeOf(client, clock.now(), kind.timeoutSeconds * 1_000)
    return node === undefined ? undefined : current.targets.get(node)
  }
  /** A tenant's Node may claim an address that is served here: traffic to it would go in a ring. */
  const isRing = (protocol: Protocol, port: Port, { node }: WeightedTarget): boolean => {
    const ip = current.ordered.get(node)
    return ip !== undefined && options.isServedHere(frontendText({ ip, protocol, port }))
  }

  return {
    update: (next, usable) => {
      current = compile(next, usable, current)
      if (next.affinity.kind === 'None') affinity.clear()
      for (const [frontend, rotation] of rotations) {
        if (current.frontends.has(frontend)) rotation.retarget(usable)
        else rotations.delete(frontend)
      }
    },
    admits: (client) => current.admits(client),
    choose: (frontend, client, except) => {
      const at = current.frontends.get(frontend)
      if (at?.nodePort === undefined) return undefined
      const { protocol, nodePort } = at
      const kept = remembered(client)
      let target = kept && !except.has(kept.node) ? kept : rotationOf(frontend).next(except)
      for (let rings = except; target && isRing(protocol, nodePort, target);) {
        rings = new Set([...rings, target.node])
        target = rotationOf(frontend).next(rings)
      }
      if (!target) return undefined
      if (current.desired.affinity.kind === 'ClientIP') {
        affinity.remember(client, target.node, clock.now())
      }
      return { node: target.node, ip: target.ip, nodePort }
    },
    uses: (node) => current.targets.has(node),
    orders: (frontend, node) => current.frontends.has(frontend) && current.ordered.has(node),
    sourceFor: (client, ip) => {
      // Only loopback lets a process without rights send from an address that is not its own.
      const keeps = current.desired.policy === 'Local' && isLoopback(client) && isLoopback(ip)
      return keeps && client.includes(':') === ip.includes(':') ? client : undefined
    },
    sendsProxyHeader: () => current.desired.proxyProtocol === 'v2',
  }
}
