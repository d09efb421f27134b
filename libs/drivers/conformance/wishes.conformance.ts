// Every wish that a resource can have. What a driver declares is changed and read back at the provider; what
// it does not declare is refused by name. So no field is left out of a driver's suite in silence.
import type { Capabilities } from '../driver.ts'
import { ourInstallation, type SampleOver } from '../sample-desired.ts'
import type { DriverRig } from './rig.conformance.ts'
import type { DesiredResource } from '@weir/contract'

export interface Wish {
  readonly what: string
  readonly over: (rig: DriverRig) => SampleOver
  /** The capability that a refusal names; undefined when every driver must be able to do it. */
  readonly capability?: string
  readonly can?: (capabilities: Capabilities) => boolean
  /** Without this the wish makes no sense, and what is missing has a wish of its own. */
  readonly needs?: (capabilities: Capabilities) => boolean
  /** Whether it goes together with all others, so that one change can ask for everything at once. */
  readonly together?: boolean
}

const first = (rig: DriverRig): DesiredResource['frontends'][number] => {
  const [frontend] = rig.sample().frontends
  if (frontend === undefined) throw new Error('a sample has a frontend')
  return frontend
}
type Frontend = Partial<Record<keyof DesiredResource['frontends'][number], unknown>>
const frontends = (...given: readonly ((rig: DriverRig) => Frontend)[]) => {
  return (rig: DriverRig): SampleOver => ({
    frontends: given.map((at) => ({ ...first(rig), ...at(rig) })) as DesiredResource['frontends'],
  })
}
const at = (over: Frontend) => (): Frontend => over
/** The port so many after the sample's. */
const next =
  (by: number, over: Frontend = {}) =>
  (rig: DriverRig): Frontend => ({
    port: first(rig).port + by,
    ...over,
  })

/** `n` frontends at ports of their own. */
const many = (rig: DriverRig, n: number): SampleOver => ({
  frontends: Array.from({ length: n }, (_, index) => ({
    ...first(rig),
    port: first(rig).port + 1000 + index,
    nodePort: 30_000 + index,
  })) as DesiredResource['frontends'],
})

/** As of a Service with `allocateLoadBalancerNodePorts: false`. */
const portless = (rig: DriverRig): SampleOver => ({
  frontends: rig.sample().frontends.map(({ nodePort: _none, ...at }) => at),
})

const local = (nodePort: number): SampleOver => ({
  policy: 'Local',
  health: { port: nodePort as never, path: '/healthz', weightFromHeader: true },
})

const inFamily = (family: 'IPv4' | 'IPv6') =>
  frontends(({ driver, addressIn }) => {
    const [pool, provider] = family === 'IPv4' ? ['127.1.0.9', '0.0.0.0'] : ['fd00::9', '::']
    return {
      ip: driver.capabilities.addresses === 'pool' ? (addressIn?.(family) ?? pool) : provider,
    }
  })

export const wishes: readonly Wish[] = [
  { what: 'the port', over: frontends(next(1)) },
  { what: 'the nodePort', over: frontends(at({ nodePort: 30_099 })) },
  {
    what: 'two frontends',
    over: frontends(at({}), next(1, { nodePort: 30_081 })),
    together: true,
  },
  { what: 'no target', over: () => ({ targets: [] }) },
  {
    what: 'fewer targets',
    over: (rig) => ({ targets: rig.sample().targets.slice(1) }),
    together: true,
  },
  {
    what: 'the health check',
    over: () => ({ health: { port: 31_000 as never, path: '/ready', weightFromHeader: false } }),
  },
  {
    what: 'a weight',
    // Weights come from counted pods; a driver without them lets the health check decide, refusing nothing.
    over: (rig) => ({
      // Another share, and not only another number.
      targets: rig.sample().targets.map((target, index) => ({ ...target, weight: 1 + 2 * index })),
    }),
  },
  {
    what: 'the policy Local',
    over: () => local(31_001),
    capability: 'preservesClientAddress',
    can: ({ preservesClientAddress }) => preservesClientAddress !== 'never',
    together: true,
  },
  {
    what: 'source ranges',
    // A block of loopback is among them: clients of this machine are within and without.
    over: () => ({ sourceRanges: ['10.0.0.0/8', '127.64.0.0/10', '192.0.2.0/24'] as never }),
    capability: 'sourceRanges',
    can: ({ sourceRanges }) => sourceRanges,
    together: true,
  },
  {
    what: 'affinity',
    over: () => ({ affinity: { kind: 'ClientIP', timeoutSeconds: 60 } }),
    capability: 'clientIpAffinity',
    can: ({ clientIpAffinity }) => clientIpAffinity,
    together: true,
  },
  {
    what: 'the PROXY protocol',
    over: () => ({ proxyProtocol: 'v2' }),
    capability: 'proxyProtocol',
    can: ({ proxyProtocol }) => proxyProtocol,
    together: true,
  },
  ...(['TCP', 'UDP', 'SCTP'] as const).map((protocol) => ({
    what: `a frontend over ${protocol}`,
    over: frontends(next(2, { protocol, nodePort: 30_082 })),
    capability: 'protocols',
    can: ({ protocols }: Capabilities) => protocols.includes(protocol),
  })),
  ...(['IPv4', 'IPv6'] as const).map((family) => ({
    what: `a frontend over ${family}`,
    over: inFamily(family),
    capability: 'ipFamilies',
    can: ({ ipFamilies }: Capabilities) => ipFamilies.includes(family),
  })),
  {
    what: 'one port for TCP and UDP with equal nodePorts',
    over: frontends(at({}), at({ protocol: 'UDP' })),
    capability: 'samePortTcpUdp',
    can: ({ samePortTcpUdp }) => samePortTcpUdp !== 'never',
    needs: ({ protocols }) => protocols.includes('UDP'),
  },
  {
    what: 'one port for TCP and UDP with other nodePorts',
    over: frontends(at({}), at({ protocol: 'UDP', nodePort: 30_053 })),
    capability: 'samePortTcpUdp',
    can: ({ samePortTcpUdp }) => samePortTcpUdp === 'always',
    needs: ({ protocols }) => protocols.includes('UDP'),
  },
  {
    what: 'no nodePort',
    over: portless,
    capability: 'needsNodePort',
    can: ({ needsNodePort }) => !needsNodePort,
  },
  {
    what: 'one of two nodePorts missing',
    over: (rig) => ({
      frontends: [...(many(rig, 1).frontends ?? []), ...(portless(rig).frontends ?? [])],
    }),
    capability: 'needsNodePort',
    can: ({ needsNodePort }) => !needsNodePort,
  },
  {
    what: 'an address of its own choice',
    over: frontends(at({ ip: '0.0.0.0' })),
    capability: 'addresses',
    can: ({ addresses }) => addresses === 'provider',
  },
  {
    what: 'ten frontends, or as many as it declares',
    over: (rig) => many(rig, Math.min(rig.driver.capabilities.maxFrontends, 10)),
  },
  {
    what: 'more frontends than it declares',
    over: (rig) => many(rig, rig.driver.capabilities.maxFrontends + 1),
    capability: 'maxFrontends',
    can: () => false,
  },
  {
    what: "another installation's marks",
    over: () => ({ installation: `not-${ourInstallation}` }),
    capability: 'ownership',
    can: () => false,
  },
]

/** Everything at once that goes together and that the driver can do. */
export const everything = (rig: DriverRig): SampleOver =>
  Object.assign(
    {},
    ...wishes
      .filter(({ together, can }) => together === true && can?.(rig.driver.capabilities) !== false)
      .map(({ over }) => over(rig)),
  ) as SampleOver
