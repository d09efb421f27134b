import { edgeId, ipAddress } from '@weir/contract'
import { settings } from '@weir/runtime'
import { z } from 'zod'
import { defaultLimits } from './data-plane/userspace/userspace.ts'

const number = (most: number) =>
  z.coerce
    .number({ error: `expected a whole number from 1 to ${most}` })
    .int()
    .min(1)
    .max(most)
const whole = (fallback: number, most: number) => number(most).default(fallback)

const community = (text: string): number | undefined => {
  const [high, low] = /^(\d{1,5}):(\d{1,5})$/.exec(text)?.slice(1).map(Number) ?? []
  if (high === undefined || low === undefined || high > 65_535 || low > 65_535) return undefined
  return high * 65_536 + low
}

/** `64512:100 64512:200` as numbers, ascending, so that every edge tells them alike. */
const communities = z.string().transform((text, context): readonly number[] => {
  const numbers = text.split(/[\s,]+/).flatMap((word) => (word === '' ? [] : [community(word)]))
  const known = numbers.filter((number) => number !== undefined)
  if (known.length === numbers.length) return [...new Set(known)].toSorted((a, b) => a - b)
  context.addIssue('expected communities such as 64512:100 64512:200')
  return z.NEVER
})

/** `10.0.0.1 10.0.0.12` as addresses. */
const addresses = z
  .string()
  .transform((text) => text.split(/[\s,]+/).filter((word) => word !== ''))
  .pipe(z.array(ipAddress, { error: 'expected addresses such as 10.0.0.1 10.0.0.12' }))

/** The environment of an edge agent. */
export const config = z.object({
  NATS_URL: settings.NATS_URL,
  WEIR_FLEET: settings.WEIR_FLEET,
  WEIR_FLEET_DATA_PLANE: settings.WEIR_FLEET_DATA_PLANE,
  /** Of the kernel data plane: where clients' packets come in and nodes are reached. */
  WEIR_EDGE_INTERFACE: z
    .string()
    .regex(/^[\w.-]{1,15}$/, { error: 'expected the name of an interface such as eth0' })
    .default('eth0'),
  /** Of the envoy data plane: the program, or its name on PATH. */
  WEIR_ENVOY: z.string().min(1).default('envoy'),
  /** Of the kernel data plane: the VXLAN that reaches nodes elsewhere. Unset, they are refused. */
  WEIR_EDGE_VXLAN_VNI: number(16_777_215).optional(),
  /** Of the kernel data plane: edges of the fleet and routers, which no Node may claim to be. */
  WEIR_EDGE_PEERS: addresses.default([]),
  /** This machine's name in its fleet; two agents must not share one. */
  WEIR_EDGE_ID: z.string({ error: 'expected a name such as edge-1' }).pipe(edgeId),
  /** The folder of the last good state; it must outlive the process. */
  WEIR_EDGE_STATE_DIR: z.string({ error: 'expected a folder this user may write' }).min(1),
  /** How routers hear which addresses this edge serves. */
  WEIR_EDGE_ANNOUNCE: z
    .enum(['none', 'bgp', 'l2'], { error: 'expected none, bgp or l2' })
    .default('none'),
  /** Of `bgp`: where gobgpd's API answers. */
  WEIR_EDGE_BGP_API: z.string().default('127.0.0.1:50051'),
  /** Where routers send packets, if not to the address that gobgpd has its session with. */
  WEIR_EDGE_BGP_NEXT_HOP: z
    .ipv4({ error: 'expected an IPv4 address of this machine' })
    .default('0.0.0.0'),
  WEIR_EDGE_BGP_NEXT_HOP_V6: z
    .ipv6({ error: 'expected an IPv6 address of this machine' })
    .default('::'),
  /** The same on every edge of the fleet, or routers do not share flows among them. */
  WEIR_EDGE_BGP_COMMUNITIES: communities.default([]),
  /** How long a flow may go on after its node left the order. */
  WEIR_EDGE_DRAIN_SECONDS: whole(defaultLimits.drainMs / 1_000, 86_400),
  WEIR_EDGE_UDP_IDLE_SECONDS: whole(defaultLimits.udpIdleMs / 1_000, 86_400),
  WEIR_EDGE_CONNECTIONS_PER_FRONTEND: whole(defaultLimits.connectionsPerFrontend, 1_000_000),
  WEIR_EDGE_UDP_SESSIONS_PER_FRONTEND: whole(defaultLimits.udpSessionsPerFrontend, 60_000),
  /** Of the kernel data plane: how often a node is called that does not answer directly. */
  WEIR_EDGE_RETURN_SECONDS: whole(30, 3_600),
  WEIR_EDGE_PROBE_INTERVAL_MS: whole(2_000, 60_000),
})
export type EdgeConfig = z.infer<typeof config>
