import type { Capabilities } from '../driver.ts'
import type { OctaviaSettings } from './settings.ts'

/** What an Octavia can do that an older one could not, by its API's minor version. */
const since = {
  tags: 5,
  allowedCidrs: 12,
  httpMonitorOnUdp: 16,
  proxyV2: 22,
  sctp: 23,
} as const
type Feature = keyof typeof since

const featureWords: Readonly<Record<Feature, string>> = {
  tags: 'tags',
  allowedCidrs: 'allowed_cidrs',
  httpMonitorOnUdp: 'HTTP health checks for UDP',
  proxyV2: 'PROXYV2',
  sctp: 'SCTP',
}

/** The highest `2.MINOR` that an Octavia lists; undefined when it speaks no version 2. */
export const minorOf = (versions: readonly { readonly id: string }[]): number | undefined => {
  const minors = versions.flatMap(({ id }) => {
    const minor = /^v2\.(\d{1,4})$/.exec(id)?.[1]
    return minor === undefined ? [] : [Number(minor)]
  })
  return minors.length === 0 ? undefined : Math.max(...minors)
}

export const has = (minor: number, feature: Feature): boolean => minor >= since[feature]

/** What was found, for people: `Octavia v2.26: tags, allowed_cidrs, ...`. */
export const describeFeatures = (minor: number): string => {
  const found = (Object.keys(since) as Feature[]).filter((feature) => has(minor, feature))
  return `Octavia v2.${minor}: ${found.map((feature) => featureWords[feature]).join(', ')}`
}

/**
 * What the driver can do with an Octavia that can do everything. The balancer ends connections and opens
 * its own to the node: a pod sees the client's address only in a PROXY protocol header, and traffic
 * from inside the cluster has to pass it too (`ipMode` Proxy).
 */
export const octaviaCapabilities = ({
  ipFamily,
}: Pick<OctaviaSettings, 'ipFamily'>): Capabilities => ({
  protocols: ['TCP', 'UDP', 'SCTP'],
  ipFamilies: [ipFamily],
  addresses: 'provider',
  sourceRanges: true,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: true,
  preservesClientAddress: 'never',
  samePortTcpUdp: 'always',
  needsNodePort: true,
  targetsByProviderId: null,
  maxFrontends: 100,
  ipMode: 'Proxy',
})

/** `declared` less what version 2.`minor` lacks. */
export const reduceTo = (minor: number, declared: Capabilities): Capabilities => ({
  ...declared,
  protocols: declared.protocols.filter(
    (protocol) =>
      protocol === 'TCP' ||
      (has(minor, 'httpMonitorOnUdp') && (protocol === 'UDP' || has(minor, 'sctp'))),
  ),
  sourceRanges: has(minor, 'allowedCidrs'),
  proxyProtocol: has(minor, 'proxyV2'),
})
