import { OperatingError } from '@weir/kernel'
import { z } from 'zod'
import { tunnelMacOf } from '../../domain/tunnel-mac.ts'
import type { Neighbours } from './neighbours.ts'
import type { RunProgram } from './run-program.ts'
import type { Tunnel } from './tunnel.ts'

/** The MAC addresses of nodes, wherever they are. */
export interface Reach extends Neighbours {
  /** Why packets can't go to a node; undefined when they can. */
  problemOf(ip: string): string | undefined
}

export interface ReachOptions {
  readonly run: RunProgram
  readonly device: string
  /** The MAC address of the device. */
  readonly mac: string
  readonly neighbours: Neighbours
  readonly tunnel: Tunnel | undefined
  /** Addresses of the other edges, and of routers that no route here names. */
  readonly peers: readonly string[]
  /** Addresses that are or were served here. */
  readonly served: ReadonlySet<string>
}

/** The way to a node's address, as the routes of this machine say. */
type Way =
  | { readonly by: 'segment' }
  | { readonly by: 'tunnel'; readonly mac: string }
  | { readonly by: 'none'; readonly problem: string }

const route = z.object({
  dst: z.string(),
  type: z.string().optional(),
  dev: z.string().optional(),
  gateway: z.string().optional(),
  via: z.unknown().optional(),
})
const routes = z.array(route)
type Route = z.infer<typeof route>

/**
 * Finds the way to each node by the routes: on the segment by its own MAC address, elsewhere by the tunnel if
 * there is one.
 *
 * Who may write a cluster's Nodes chooses their addresses. What is sent to an edge or a router comes back,
 * and nothing on that ring counts a packet's hops down: so this edge, the gateways of its routes and its
 * peers are no nodes, whether by address or by the MAC address that answers for it. Nor is an address that
 * is served here, which leads back as well.
 */
export const createReach = async (options: ReachOptions): Promise<Reach> => {
  const { run, device, mac, neighbours, tunnel, served } = options
  const ways = new Map<string, Way>()
  // The list of peers may be the same on every edge of the fleet, itself among them.
  const known = await routesTo(run, options.peers)
  const others = options.peers.filter((ip) => known.get(ip)?.type !== 'local')
  const guarded = new Set([...others, ...(await gatewaysOf(run))])
  await neighbours.want([...guarded])

  const wayBy = (ip: string, found: Route | undefined): Way => {
    const none = (problem: string): Way => ({ by: 'none', problem })
    if (guarded.has(ip)) return none('has the address of a router or another edge')
    if (isLinkLocal(ip)) return none('has a link-local address')
    if (found === undefined) return none('has an address without a route')
    const { type = 'unicast', dev, gateway, via } = found
    if (type === 'local') return none('has an address of this edge')
    if (type !== 'unicast') return none(`has a ${type} address`)
    if (dev === device && gateway === undefined && via === undefined) return { by: 'segment' }
    if (tunnel === undefined) {
      return none(`is not on the segment of ${device}, and WEIR_EDGE_VXLAN_VNI is not set`)
    }
    const inner = tunnelMacOf(ip)
    return inner === undefined
      ? none(`is not on the segment of ${device}, and VXLAN takes IPv4 addresses of nodes only`)
      : { by: 'tunnel', mac: inner }
  }
  const isGuarded = (found: string): boolean =>
    found === mac || [...guarded].some((ip) => neighbours.macOf(ip) === found)
  const behindTunnel = (): readonly string[] =>
    [...ways].filter(([, way]) => way.by === 'tunnel').map(([ip]) => ip)
  const wayOf = (ip: string): Way => {
    if (served.has(ip)) return { by: 'none', problem: 'has the address of a load balancer' }
    return ways.get(ip) ?? { by: 'segment' }
  }
  const macOnSegment = (ip: string): string | undefined => {
    const found = neighbours.macOf(ip)
    return found === undefined || isGuarded(found) ? undefined : found
  }

  /** What is being looked up: thousands of orders name the same nodes at the same time. */
  const looking = new Map<string, Promise<void>>()
  const lookUp = async (ips: readonly string[]): Promise<void> => {
    try {
      const found = await routesTo(run, ips)
      for (const ip of ips) ways.set(ip, wayBy(ip, found.get(ip)))
      await tunnel?.reach(ips.filter((ip) => wayOf(ip).by === 'tunnel'))
      await neighbours.want(ips.filter((ip) => wayOf(ip).by === 'segment'))
    } finally {
      for (const ip of ips) looking.delete(ip)
    }
  }

  return {
    macOf: (ip) => {
      const way = wayOf(ip)
      if (way.by === 'tunnel') return way.mac
      return way.by === 'segment' ? macOnSegment(ip) : undefined
    },
    problemOf: (ip) => {
      const way = wayOf(ip)
      if (way.by === 'none') return way.problem
      if (way.by === 'tunnel' || macOnSegment(ip) !== undefined) return undefined
      return neighbours.macOf(ip) === undefined
        ? `does not answer on ${device}`
        : 'answers with the MAC address of an edge or a router'
    },
    want: async (ips) => {
      // Orders with a node that has no way are tried again, and routes may have come.
      const asked = ips.filter((ip) => (ways.get(ip)?.by ?? 'none') === 'none')
      const fresh = asked.filter((ip) => !looking.has(ip))
      const look = fresh.length === 0 ? undefined : lookUp(fresh)
      for (const ip of fresh) if (look !== undefined) looking.set(ip, look)
      await Promise.all(ips.flatMap((ip) => looking.get(ip) ?? []))
    },
    refresh: async () => {
      // Somebody may have flushed what the tunnel was told.
      await tunnel?.reach(behindTunnel())
      return neighbours.refresh()
    },
  }
}

const isLinkLocal = (ip: string): boolean => /^(169\.254\.|fe[89ab])/i.test(ip)

const gatewaysOf = async (run: RunProgram): Promise<readonly string[]> => {
  const found: string[] = []
  for (const family of ['-4', '-6']) {
    const text = await run(['ip', family, '-j', 'route', 'show'])
    const parsed = routes.safeParse(JSON.parse(text.trim() === '' ? '[]' : text))
    if (!parsed.success) throw new OperatingError('ip listed routes that are not understood')
    found.push(...parsed.data.flatMap(({ gateway }) => gateway ?? []))
  }
  return found
}

/** The routes to these addresses; those without one are missing. */
const routesTo = async (
  run: RunProgram,
  ips: readonly string[],
): Promise<ReadonlyMap<string, Route>> => {
  const found = new Map<string, Route>()
  const note = (text: string): void => {
    for (const line of text.split('\n')) {
      const [first] = line.trim() === '' ? [] : (routes.safeParse(JSON.parse(line)).data ?? [])
      if (first !== undefined) found.set(first.dst, first)
    }
  }
  if (ips.length === 0) return found
  const ask = (some: readonly string[]): Promise<string> =>
    run(['ip', '-j', '-batch', '-'], some.map((ip) => `route get ${ip}\n`).join(''))
  try {
    note(await ask(ips))
  } catch {
    // One address without a route ends the batch.
    for (const ip of ips) note(await ask([ip]).catch(() => ''))
  }
  return found
}
