import { desiredResource, installationId, loadBalancerIntent } from '@weir/contract'

// One Service's resource, for tests.
export const installation = installationId.parse('ours')

export const intent = loadBalancerIntent.parse({
  ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  externalTrafficPolicy: 'Cluster',
  healthCheckNodePort: null,
  sourceRanges: [],
  sessionAffinity: { kind: 'None' },
  ipFamilies: ['IPv4'],
  requestedAddress: null,
  requestedPool: null,
  proxyProtocol: 'none',
  invalid: [],
})

const service = '22222222-2222-2222-2222-222222222222'

export const desired = desiredResource.parse({
  marks: {
    installation,
    tenant: 'acme',
    cluster: '11111111-1111-1111-1111-111111111111',
    service,
    key: `edge-${service}`,
    epoch: 1,
  },
  driver: 'edge',
  generation: 1,
  frontends: [{ ip: '127.1.0.1', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  targets: [],
  policy: 'Cluster',
  health: { port: 10_256, path: '/healthz', weightFromHeader: false },
  sourceRanges: [],
  affinity: { kind: 'None' },
  proxyProtocol: 'none',
})
