import { describe, expect, test } from 'vitest'
import { decode } from './decode.ts'
import { shapeOf } from './shape.ts'

const service = shapeOf('io.k8s.api.core.v1.Service')
const deployment = shapeOf('io.k8s.api.apps.v1.Deployment')
const read = (body: object) => {
  const fields: string[] = []
  const value = decode('it', service, JSON.parse(JSON.stringify(body)), { fields })
  return { value, fields }
}

describe('decoding', () => {
  test('leaves unknown fields out and names them', () => {
    const { value, fields } = read({ spec: { type: 'ClusterIP', prots: [], ports: [{ x: 1 }] } })
    expect(value).toEqual({ spec: { type: 'ClusterIP', ports: [{}] } })
    expect(fields).toEqual(['spec.prots', 'spec.ports[0].x'])
  })

  test('drops nulls and what Go leaves out, but keeps what a pointer tells', () => {
    const spec = { clusterIP: '', healthCheckNodePort: 0, ports: null, externalIPs: [] }
    expect(read({ spec }).value).toEqual({ spec: {} })
    expect(read({ spec: { allocateLoadBalancerNodePorts: false } }).value).toEqual({
      spec: { allocateLoadBalancerNodePorts: false },
    })
    const scaled = decode(
      'it',
      deployment,
      { spec: { replicas: 0, minReadySeconds: 0 } },
      { fields: [] },
    )
    expect(scaled['spec']).toMatchObject({ replicas: 0 })
    expect(scaled['spec']).not.toHaveProperty('minReadySeconds')
  })

  test.each([
    [
      { spec: { ports: {} } },
      'cannot unmarshal object into Go struct field ServiceSpec.spec.ports',
    ],
    [{ spec: { type: 7 } }, 'cannot unmarshal number into Go struct field ServiceSpec.spec.type'],
    [{ metadata: { labels: { a: 1 } } }, 'Go struct field ObjectMeta.metadata.labels'],
  ])('refuses %j', (body, message) => {
    expect(() => read(body)).toThrow(message)
  })
})
