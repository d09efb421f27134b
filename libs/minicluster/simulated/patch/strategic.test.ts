import { expect, test } from 'vitest'
import type { JsonObject } from '../object.ts'
import { shapeOf } from '../schema/shape.ts'
import { strategicMerge } from './strategic.ts'

const service = shapeOf('io.k8s.api.core.v1.Service')
const deployment = shapeOf('io.k8s.api.apps.v1.Deployment')

const rows: readonly (readonly [string, JsonObject, JsonObject, JsonObject])[] = [
  [
    'objects merge, and null removes',
    { metadata: { labels: { a: '1', b: '2' } } },
    { metadata: { labels: { b: null, c: '3' } } },
    { metadata: { labels: { a: '1', c: '3' } } },
  ],
  [
    'a list without merge key is replaced',
    { spec: { loadBalancerSourceRanges: ['10.0.0.0/8'] } },
    { spec: { loadBalancerSourceRanges: ['192.0.2.0/24'] } },
    { spec: { loadBalancerSourceRanges: ['192.0.2.0/24'] } },
  ],
  [
    'finalizers of two writers both survive',
    { metadata: { finalizers: ['a.example/x'] } },
    { metadata: { finalizers: ['b.example/y'] } },
    { metadata: { finalizers: ['b.example/y', 'a.example/x'] } },
  ],
  [
    'one finalizer is taken out by name',
    { metadata: { finalizers: ['a.example/x', 'b.example/y'] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['a.example/x'] } },
    { metadata: { finalizers: ['b.example/y'] } },
  ],
  [
    'a port is changed by its number',
    { spec: { ports: [{ port: 80, nodePort: 30_080 }, { port: 81 }] } },
    { spec: { ports: [{ port: 80, name: 'http' }] } },
    { spec: { ports: [{ port: 80, nodePort: 30_080, name: 'http' }, { port: 81 }] } },
  ],
  [
    'a port is deleted by its number',
    { spec: { ports: [{ port: 80 }, { port: 81 }] } },
    { spec: { ports: [{ port: 80, $patch: 'delete' }] } },
    { spec: { ports: [{ port: 81 }] } },
  ],
  [
    'a map is replaced when told so',
    { spec: { selector: { app: 'web', tier: 'front' } } },
    { spec: { selector: { $patch: 'replace', app: 'other' } } },
    { spec: { selector: { app: 'other' } } },
  ],
  [
    'the order given is the order kept',
    { spec: { ports: [{ port: 80 }, { port: 81 }] } },
    { spec: { '$setElementOrder/ports': [{ port: 81 }, { port: 80 }] } },
    { spec: { ports: [{ port: 81 }, { port: 80 }] } },
  ],
]

test.each(rows)('%s', (_rule, target, patch, expected) => {
  const before = structuredClone(target)
  expect(strategicMerge(service, target, patch)).toEqual(expected)
  expect(target).toEqual(before)
})

test('only retained keys of a strategy survive its change', () => {
  const target = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } }
  const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }
  expect(strategicMerge(deployment, target, patch)).toEqual({
    spec: { strategy: { type: 'Recreate' } },
  })
})

test('an item without its merge key is refused', () => {
  const patch = { spec: { ports: [{ name: 'http' }] } }
  expect(() => strategicMerge(service, { spec: {} }, patch)).toThrow('merge key: port')
})
