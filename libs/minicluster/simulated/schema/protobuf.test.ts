import { expect, test } from 'vitest'
import { openEnvelope, readProtobuf } from './protobuf.ts'

// Messages are built by hand from the wire format: a tag (number * 8 + wire type), then the value.
const varint = (value: number): Buffer => {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest & 127) | 128)
    rest >>>= 7
  }
  return Buffer.from([...bytes, rest])
}
const number = (field: number, value: number): Buffer =>
  Buffer.concat([varint(field * 8), varint(value)])
const bytes = (field: number, ...parts: readonly (Buffer | string)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body])
}
const message = (apiVersion: string, kind: string, ...fields: readonly Buffer[]): Buffer =>
  Buffer.concat([
    Buffer.from('k8s\0'),
    bytes(1, bytes(1, apiVersion), bytes(2, kind)),
    bytes(2, ...fields),
  ])

test('a Service reads as its JSON', () => {
  const port = bytes(
    1,
    bytes(1, 'http'),
    bytes(2, 'TCP'),
    number(3, 80),
    bytes(4, number(1, 0), number(2, 9376)),
  )
  const named = bytes(1, number(3, 81), bytes(4, number(1, 1), bytes(3, 'web')))
  const selector = bytes(2, bytes(1, 'app'), bytes(2, 'web'))
  const body = message(
    'v1',
    'Service',
    bytes(1, bytes(1, 'web'), bytes(8, number(1, 1_767_225_600))),
    bytes(2, port, named, selector, bytes(4, 'LoadBalancer'), number(20, 0)),
  )
  expect(readProtobuf('io.k8s.api.core.v1.Service', openEnvelope(body))).toEqual({
    kind: 'Service',
    apiVersion: 'v1',
    metadata: { name: 'web', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: {
      ports: [
        { name: 'http', protocol: 'TCP', port: 80, targetPort: 9376 },
        { port: 81, targetPort: 'web' },
      ],
      selector: { app: 'web' },
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
    },
  })
})

test('bytes become base64', () => {
  const body = message('v1', 'Secret', bytes(2, bytes(1, 'key'), bytes(2, 'value')))
  expect(readProtobuf('io.k8s.api.core.v1.Secret', openEnvelope(body))).toMatchObject({
    data: { key: Buffer.from('value').toString('base64') },
  })
})

test('an inlined struct stands in its parent', () => {
  const volume = bytes(1, bytes(1, 'config'), bytes(2, bytes(1, bytes(1, '/etc'))))
  const body = message('v1', 'Pod', bytes(2, volume))
  expect(readProtobuf('io.k8s.api.core.v1.Pod', openEnvelope(body))).toMatchObject({
    spec: { volumes: [{ name: 'config', hostPath: { path: '/etc' } }] },
  })
})

test('a message that ends too early is refused', () => {
  const body = message('v1', 'Service', Buffer.from([10, 200]))
  expect(() => readProtobuf('io.k8s.api.core.v1.Service', openEnvelope(body))).toThrow(
    'ends too early',
  )
  expect(() => openEnvelope(Buffer.from('{}'))).toThrow('does not begin')
})
