import { expect, test } from 'vitest'
import { isObject, type JsonObject, type KubeObject } from '../object.ts'
import { shapeOf } from '../schema/shape.ts'
import { applyConfiguration } from './apply.ts'

const shape = shapeOf('io.k8s.api.core.v1.Service')

const apply = (
  live: KubeObject | undefined,
  applied: JsonObject,
  { manager = 'kubectl', force = false }: { manager?: string; force?: boolean } = {},
): KubeObject => {
  const now = '2026-01-01T00:00:00Z'
  const whole = { apiVersion: 'v1', kind: 'Service', ...applied }
  const result = applyConfiguration(shape, live, whole, { manager, force, now, apiVersion: 'v1' })
  const metadata = isObject(result['metadata']) ? result['metadata'] : {}
  return { ...result, kind: 'Service', apiVersion: 'v1', metadata: { ...metadata, name: 'web' } }
}

const ports = (...numbers: number[]): JsonObject => ({
  spec: { ports: numbers.map((port) => ({ port, protocol: 'TCP' })) },
})

test('a field goes when its applier leaves it out', () => {
  const first = apply(undefined, { spec: { externalTrafficPolicy: 'Local', type: 'LoadBalancer' } })
  const second = apply(first, { spec: { type: 'LoadBalancer' } })
  expect(second['spec']).toEqual({ type: 'LoadBalancer' })
})

test('a field stays while another applier has it', () => {
  const body = { spec: { type: 'LoadBalancer' } }
  const both = apply(apply(undefined, body), body, { manager: 'other' })
  expect(apply(both, {})['spec']).toEqual({ type: 'LoadBalancer' })
})

test('what others wrote stays', () => {
  const live = apply(undefined, ports(80))
  live['spec'] = {
    ports: [
      { port: 80, protocol: 'TCP' },
      { port: 81, protocol: 'TCP' },
    ],
    clusterIP: '10.96.1.1',
  }
  expect(apply(live, ports(82))['spec']).toEqual({
    ports: [
      { port: 82, protocol: 'TCP' },
      { port: 81, protocol: 'TCP' },
    ],
    clusterIP: '10.96.1.1',
  })
})

test('an item keeps the fields that were allocated to it', () => {
  const live = apply(undefined, ports(80))
  live['spec'] = { ports: [{ port: 80, protocol: 'TCP', nodePort: 30_080 }] }
  expect(
    apply(live, { spec: { ports: [{ port: 80, protocol: 'TCP', name: 'http' }] } })['spec'],
  ).toEqual({
    ports: [{ port: 80, protocol: 'TCP', nodePort: 30_080, name: 'http' }],
  })
})

test('two appliers conflict over a value, and force takes it', () => {
  const live = apply(undefined, { spec: { type: 'LoadBalancer' } })
  const other = { spec: { type: 'NodePort' } }
  expect(() => apply(live, other, { manager: 'other' })).toThrow(
    'Apply failed with 1 conflict: conflict with "kubectl": .spec.type',
  )
  const taken = apply(live, other, { manager: 'other', force: true })
  expect(taken['spec']).toEqual({ type: 'NodePort' })
  expect(taken.metadata.managedFields?.map((one) => one.manager)).toEqual(['other'])
})

test('finalizers are a set: each applier owns its own', () => {
  const one = apply(undefined, { metadata: { finalizers: ['a.example/x'] } })
  const two = apply(one, { metadata: { finalizers: ['b.example/y'] } }, { manager: 'other' })
  expect(two.metadata.finalizers?.sort()).toEqual(['a.example/x', 'b.example/y'])
  expect(apply(two, {}).metadata.finalizers).toEqual(['b.example/y'])
})
