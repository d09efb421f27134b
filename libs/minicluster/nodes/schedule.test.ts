import { expect, test } from 'vitest'
import type { KubeNode, Pod, PodSpec } from './objects.ts'
import { chooseNode, podsPerNode } from './schedule.ts'

const node = (name: string, spec: KubeNode['spec'] = {}): KubeNode => ({
  metadata: { name, labels: { 'kubernetes.io/hostname': name, zone: name === 'c' ? 'z2' : 'z1' } },
  spec,
})
const pod = (spec: PodSpec = {}, owner = 'rs-1'): Pod => ({
  metadata: { name: 'p', namespace: 'default', ownerReferences: [{ uid: owner }] },
  spec,
})
const nodes = [node('a'), node('b'), node('c')]
const on = (name: string, owner = 'rs-1') => ({ node: name, pod: pod({}, owner) })
const chosen = (name: string) => ({ status: 'Chosen', node: name })

test('the pods of one owner spread, then the nodes fill evenly, then the first node wins', () => {
  expect(chooseNode(pod(), nodes, [])).toEqual(chosen('a'))
  expect(chooseNode(pod(), nodes, [on('a')])).toEqual(chosen('b'))
  expect(chooseNode(pod(), nodes, [on('a'), on('b', 'x'), on('b', 'x')])).toEqual(chosen('c'))
  expect(chooseNode(pod(), nodes, [on('a'), on('b'), on('c', 'x'), on('c', 'x')])).toEqual(
    chosen('c'),
  )
})

test('a cordoned, deleted, tainted or full node takes no pod', () => {
  const taints = [{ key: 'gone', effect: 'NoSchedule' }]
  const leaving = { metadata: { name: 'x', deletionTimestamp: 'now' } }
  const blocked = [node('a', { unschedulable: true }), leaving, node('b', { taints }), node('c')]
  expect(chooseNode(pod(), blocked, [])).toEqual(chosen('c'))
  const full = Array.from({ length: podsPerNode }, () => on('c', 'x'))
  expect(chooseNode(pod(), blocked, full)).toEqual({
    status: 'Unschedulable',
    message:
      '0/4 nodes are available: 1 node(s) was unschedulable, 1 node(s) is being deleted, ' +
      '1 node(s) had untolerated taint {gone: }, 1 node(s) Too many pods.',
  })
})

test('a toleration opens a tainted node, and one for everything a cordoned one', () => {
  const tainted = [node('a', { taints: [{ key: 'gpu', value: 'yes', effect: 'NoSchedule' }] })]
  const tolerant = (toleration: object) => pod({ tolerations: [toleration] })
  expect(chooseNode(tolerant({ key: 'gpu', value: 'yes' }), tainted, [])).toEqual(chosen('a'))
  expect(chooseNode(tolerant({ key: 'gpu', operator: 'Exists' }), tainted, [])).toEqual(chosen('a'))
  expect(chooseNode(tolerant({ key: 'gpu', value: 'no' }), tainted, []).status).toBe(
    'Unschedulable',
  )
  const cordoned = [node('a', { unschedulable: true })]
  expect(chooseNode(tolerant({ operator: 'Exists' }), cordoned, [])).toEqual(chosen('a'))
})

test('nodeSelector and required node affinity decide who may run the pod', () => {
  expect(chooseNode(pod({ nodeSelector: { zone: 'z2' } }), nodes, [])).toEqual(chosen('c'))
  expect(chooseNode(pod({ nodeSelector: { zone: 'z3' } }), nodes, []).status).toBe('Unschedulable')
  const affine = (term: object) =>
    pod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [term] },
        },
      },
    })
  const byName = affine({
    matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }],
  })
  expect(chooseNode(byName, nodes, [])).toEqual(chosen('b'))
  const byLabel = affine({
    matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['z1'] }],
  })
  expect(chooseNode(byLabel, nodes, [])).toEqual(chosen('c'))
})
