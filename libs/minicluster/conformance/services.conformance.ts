import { describe, expect, test } from 'vitest'
import { at, core, service, type Answer, type Rig } from './rig.conformance.ts'

export const merge = 'application/merge-patch+json'
const nodePorts = { least: 30_000, most: 32_767 }

const inRange = (port: unknown): void => {
  expect(port).toBeGreaterThanOrEqual(nodePorts.least)
  expect(port).toBeLessThanOrEqual(nodePorts.most)
}

/** The few calls that every row makes, in a namespace of its own. */
export const bench = async (rig: Rig) => {
  const namespace = await rig.namespace()
  const path = core(namespace, 'services')
  return {
    path,
    create: (name: string, spec: object = {}): Promise<Answer> =>
      rig.ask('POST', path, { body: service(name, spec) }),
    read: async (name: string): Promise<unknown> => {
      const { status, body } = await rig.ask('GET', `${path}/${name}`)
      expect(status).toBe(200)
      return body
    },
    patch: (name: string, body: object): Promise<Answer> =>
      rig.ask('PATCH', `${path}/${name}`, { body, contentType: merge }),
  }
}

export const refusal = (answer: Answer, words: string): void => {
  expect(answer.body).toMatchObject({
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    reason: 'Invalid',
    code: 422,
    message: expect.stringContaining(words),
  })
  expect(answer.status).toBe(422)
}

const defaulting = (rig: Rig): void => {
  test('a LoadBalancer is filled in as the API server does', async () => {
    const { create } = await bench(rig)
    const { status, body } = await create('web')
    expect(status).toBe(201)
    expect(body).toMatchObject({
      spec: {
        type: 'LoadBalancer',
        clusterIP: expect.stringMatching(/^10\./),
        clusterIPs: [at(body, 'spec.clusterIP')],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        internalTrafficPolicy: 'Cluster',
        externalTrafficPolicy: 'Cluster',
        sessionAffinity: 'None',
        allocateLoadBalancerNodePorts: true,
        ports: [{ port: 80, targetPort: 80, protocol: 'TCP' }],
      },
      status: { loadBalancer: {} },
    })
    inRange(at(body, 'spec.ports.0.nodePort'))
    expect(at(body, 'spec.healthCheckNodePort')).toBeUndefined()
  })

  test('a ClusterIP Service has no node port and no external policy', async () => {
    const { create } = await bench(rig)
    const { body } = await create('web', { type: 'ClusterIP' })
    expect(at(body, 'spec.ports.0.nodePort')).toBeUndefined()
    expect(at(body, 'spec.externalTrafficPolicy')).toBeUndefined()
    expect(at(body, 'spec.allocateLoadBalancerNodePorts')).toBeUndefined()
  })

  test('ClientIP affinity lasts three hours when nothing else is said', async () => {
    const { create } = await bench(rig)
    const { body } = await create('web', { sessionAffinity: 'ClientIP' })
    expect(at(body, 'spec.sessionAffinityConfig')).toEqual({ clientIP: { timeoutSeconds: 10_800 } })
  })

  test('without node port allocation a LoadBalancer has none, and gets them when it is on', async () => {
    const { create, patch } = await bench(rig)
    const { body } = await create('web', { allocateLoadBalancerNodePorts: false })
    expect(at(body, 'spec.ports.0.nodePort')).toBeUndefined()
    const healed = await patch('web', { spec: { allocateLoadBalancerNodePorts: true } })
    inRange(at(healed.body, 'spec.ports.0.nodePort'))
  })

  test('TCP and UDP may have the same port, each with its own node port or a shared one', async () => {
    const { create } = await bench(rig)
    const ports = [
      { name: 'tcp', port: 53, protocol: 'TCP' },
      { name: 'udp', port: 53, protocol: 'UDP' },
    ]
    const { status, body } = await create('dns', { ports })
    expect(status).toBe(201)
    inRange(at(body, 'spec.ports.0.nodePort'))
    inRange(at(body, 'spec.ports.1.nodePort'))
  })
}

const nodePortRows = (rig: Rig): void => {
  test('a wanted node port is given, once, and only in the range', async () => {
    const { create } = await bench(rig)
    const want = (nodePort: number) => ({ ports: [{ port: 80, nodePort }] })
    const { body } = await create('web', want(32_701))
    expect(at(body, 'spec.ports.0.nodePort')).toBe(32_701)
    refusal(await create('other', want(32_701)), 'provided port is already allocated')
    refusal(await create('low', want(80)), 'provided port is not in the valid range')
  })

  test('the node port stays when the port changes, the type goes up, or a PUT leaves it out', async () => {
    const { path, create, read, patch } = await bench(rig)
    const { body } = await create('web', { type: 'NodePort' })
    const nodePort = at(body, 'spec.ports.0.nodePort') as number
    const raised = await patch('web', { spec: { type: 'LoadBalancer' } })
    expect(at(raised.body, 'spec.ports.0.nodePort')).toBe(nodePort)
    const replace = [{ op: 'replace', path: '/spec/ports/0/port', value: 81 }]
    const contentType = 'application/json-patch+json'
    const moved = await rig.ask('PATCH', `${path}/web`, { body: replace, contentType })
    expect(at(moved.body, 'spec.ports.0')).toMatchObject({ port: 81, nodePort })
    const now = (await read('web')) as { spec: object }
    const put = { ...now, spec: { ...now.spec, ports: [{ port: 81 }] } }
    const kept = await rig.ask('PUT', `${path}/web`, { body: put })
    expect(at(kept.body, 'spec.ports.0.nodePort')).toBe(nodePort)
  })

  test('policy Local brings a health port, which stays until it is needed no more', async () => {
    const { create, patch } = await bench(rig)
    const { body } = await create('web', { externalTrafficPolicy: 'Local' })
    const port = at(body, 'spec.healthCheckNodePort') as number
    inRange(port)
    const other = port === nodePorts.most ? port - 1 : port + 1
    refusal(await patch('web', { spec: { healthCheckNodePort: other } }), 'healthCheckNodePort')
    const wide = await patch('web', { spec: { externalTrafficPolicy: 'Cluster' } })
    expect(wide.status).toBe(200)
    expect(at(wide.body, 'spec.healthCheckNodePort')).toBeUndefined()
    const again = await patch('web', { spec: { externalTrafficPolicy: 'Local' } })
    inRange(at(again.body, 'spec.healthCheckNodePort'))
  })

  test('a wanted health port is given, and refused where it has no use', async () => {
    const { create } = await bench(rig)
    const healthCheckNodePort = 32_702
    const { body } = await create('web', { externalTrafficPolicy: 'Local', healthCheckNodePort })
    expect(at(body, 'spec.healthCheckNodePort')).toBe(healthCheckNodePort)
    refusal(await create('wide', { healthCheckNodePort: 32_703 }), 'healthCheckNodePort')
  })

  test('going down to ClusterIP clears what belongs to the type, status too, and frees the ports', async () => {
    const { path, create, patch } = await bench(rig)
    const nodePort = 32_704
    await create('web', {
      externalTrafficPolicy: 'Local',
      loadBalancerClass: 'example.com/lb',
      ports: [{ port: 80, nodePort }],
    })
    const status = { loadBalancer: { ingress: [{ ip: '127.0.0.9' }] } }
    await rig.ask('PATCH', `${path}/web/status`, { body: { status }, contentType: merge })
    const { status: code, body } = await patch('web', { spec: { type: 'ClusterIP' } })
    expect(code).toBe(200)
    expect(at(body, 'status.loadBalancer')).toEqual({})
    expect(at(body, 'spec.ports')).toEqual([{ port: 80, targetPort: 80, protocol: 'TCP' }])
    for (const field of ['externalTrafficPolicy', 'healthCheckNodePort', 'loadBalancerClass']) {
      expect(at(body, `spec.${field}`)).toBeUndefined()
    }
    const next = await create('next', { ports: [{ port: 80, nodePort }] })
    expect(next.status).toBe(201)
  })
}

const validation = (rig: Rig): void => {
  const bad: [string, object, string][] = [
    ['a port twice', { ports: [port('a', 80), port('b', 80)] }, 'spec.ports[1]'],
    ['two ports without names', { ports: [{ port: 80 }, { port: 81 }] }, 'spec.ports[0].name'],
    ['a port of 0', { ports: [{ port: 0 }] }, 'spec.ports[0].port'],
    ['no port', { ports: [] }, 'spec.ports'],
    ['a protocol of its own', { ports: [{ port: 80, protocol: 'QUIC' }] }, 'protocol'],
    ['a headless LoadBalancer', { clusterIP: 'None' }, 'spec.clusterIPs[0]'],
    ['an unknown type', { type: 'Balancer' }, 'spec.type'],
    ['a source range that is none', { loadBalancerSourceRanges: ['10.0.0.0'] }, 'SourceRanges'],
    [
      'source ranges on a ClusterIP Service',
      { type: 'ClusterIP', loadBalancerSourceRanges: ['10.0.0.0/8'] },
      'SourceRanges',
    ],
    [
      'a class on a ClusterIP Service',
      { type: 'ClusterIP', loadBalancerClass: 'example.com/lb' },
      'spec.loadBalancerClass',
    ],
    [
      'an external policy on a ClusterIP Service',
      { type: 'ClusterIP', externalTrafficPolicy: 'Local' },
      'externalTrafficPolicy',
    ],
    ['an external policy of its own', { externalTrafficPolicy: 'Near' }, 'externalTrafficPolicy'],
    ['an affinity of its own', { sessionAffinity: 'Cookie' }, 'spec.sessionAffinity'],
  ]
  test.each(bad)('%s is refused with 422', async (_what, spec, words) => {
    const { create } = await bench(rig)
    refusal(await create('web', spec), words)
  })

  test('a name that DNS does not know is refused with 422', async () => {
    const { create } = await bench(rig)
    refusal(await create('web.one'), 'metadata.name')
  })

  test('source ranges may be padded with spaces', async () => {
    const { create } = await bench(rig)
    const { status } = await create('web', { loadBalancerSourceRanges: [' 10.0.0.0/8 '] })
    expect(status).toBe(201)
  })

  test('the class cannot be set or changed later, only by way of another type', async () => {
    const { create, patch } = await bench(rig)
    const words = 'may not change once set'
    await create('plain')
    refusal(await patch('plain', { spec: { loadBalancerClass: 'example.com/a' } }), words)
    await create('classed', { loadBalancerClass: 'example.com/a' })
    refusal(await patch('classed', { spec: { loadBalancerClass: 'example.com/b' } }), words)
    expect((await patch('classed', { spec: { type: 'ClusterIP' } })).status).toBe(200)
    const spec = { type: 'LoadBalancer', loadBalancerClass: 'example.com/b' }
    expect((await patch('classed', { spec })).status).toBe(200)
  })

  test('the cluster address cannot be changed', async () => {
    const { create, patch } = await bench(rig)
    await create('web')
    const answer = await patch('web', { spec: { clusterIP: '10.99.99.99', clusterIPs: null } })
    expect(answer.status).toBe(422)
  })
}

const port = (name: string, number: number) => ({ name, port: number })

export const serviceRules = (rig: Rig): void => {
  describe('Services are filled in', () => {
    defaulting(rig)
  })
  describe('node ports and health ports', () => {
    nodePortRows(rig)
  })
  describe('Services are refused', () => {
    validation(rig)
  })
}
