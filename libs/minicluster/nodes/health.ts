import type { KubeNode } from './objects.ts'
import type { NodeRules } from './rules.ts'

/** One HTTP answer of kube-proxy's health servers. */
export interface HealthAnswer {
  readonly status: 200 | 503 | 404
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The port of kube-proxy's own health on every node. */
export const proxyHealthPort = 10_256

const json = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }

/** Go prints a time this way where kube-proxy writes its JSON. */
const goTime = (ms: number): string => {
  const [day, time] = new Date(ms).toISOString().split('T')
  return `${day} ${time?.replace('Z', '')} +0000 UTC`
}

/** A node that goes away takes no new load: deletion or the autoscaler's taint, nothing else. */
export const isEligible = (node: KubeNode | undefined): boolean =>
  node !== undefined &&
  node.metadata.deletionTimestamp === undefined &&
  !(node.spec?.taints ?? []).some((taint) => taint.key === 'ToBeDeletedByClusterAutoscaler')

/** `/healthz` turns 503 with the node's eligibility, `/livez` does not look at the node. */
export const proxyHealth = (path: string, eligible: boolean, now: number): HealthAnswer => {
  const at = goTime(now)
  const times = `"lastUpdated": "${at}","currentTime": "${at}"`
  switch (path) {
    case '/healthz': {
      const body = `{${times}, "nodeEligible": ${eligible}}`
      return { status: eligible ? 200 : 503, headers: json, body }
    }
    case '/livez':
      return { status: 200, headers: json, body: `{${times}}` }
    default:
      return { status: 404, headers: {}, body: '404 page not found\n' }
  }
}

/** A Service's healthCheckNodePort, on every path: 200 and the weight while the node has endpoints. */
export const serviceHealth = (health: NonNullable<NodeRules['health']>): HealthAnswer => {
  const [namespace, name] = health.service.split('/')
  const count = health.localEndpoints
  const body = [
    '{',
    '\t"service": {',
    `\t\t"namespace": "${namespace}",`,
    `\t\t"name": "${name}"`,
    '\t},',
    `\t"localEndpoints": ${count},`,
    '\t"serviceProxyHealthy": true',
    '}',
  ].join('\n')
  const headers = { ...json, 'x-load-balancing-endpoint-weight': `${count}` }
  return { status: count > 0 ? 200 : 503, headers, body }
}
