import {
  clusterId,
  serviceUid,
  tenantId,
  type RecordedEvent,
  type ReturnFinding,
} from '@weir/contract'
import { expect, test } from 'vitest'
import { failedPools, returnStory } from './direct-return.ts'

const service = serviceUid.parse('0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3')
const frontend = '203.0.113.10:80/TCP'
const finding = (answering: string, silent: string): ReturnFinding => ({
  tenant: tenantId.parse('acme'),
  cluster: clusterId.parse('5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10'),
  answering: answering.split(' ').filter(Boolean),
  silent: silent
    .split(' ')
    .filter(Boolean)
    .map((node) => ({ node, service, frontend, since: '2026-01-01T00:00:00.000Z' })),
})
/** `a1` is of pool a, and `1` of none. */
const poolOf = (node: string): string | null => /^[a-z]/.exec(node)?.[0] ?? null

test.each<[string, readonly ReturnFinding[], readonly (readonly [string | null, string])[]]>([
  ['nobody was called', [finding('', '')], []],
  ['all answer', [finding('1 2', '')], []],
  ['all are silent, and are in no pool', [finding('', '2 1')], [[null, '1 2']]],
  ['one is silent among those that answer', [finding('1 2', '3')], []],
  ['a pool is silent beside another', [finding('a1 a2', 'b1 b2')], [['b', 'b1 b2']]],
  ['another edge hears the silent one', [finding('', 'a1'), finding('a1', '')], []],
  ['another edge hears one of its pool', [finding('', 'a1'), finding('a2', '')], []],
  ['edges call different nodes', [finding('', 'a1'), finding('', 'a2')], [['a', 'a1 a2']]],
  [
    'two pools are silent',
    [finding('', 'a1 b1')],
    [
      ['a', 'a1'],
      ['b', 'b1'],
    ],
  ],
])('when %s, those pools fail of which no node answers', (_, findings, expected) => {
  const failed = failedPools(findings, poolOf)
  expect(failed.map(({ pool, nodes }) => [pool, nodes.join(' ')])).toEqual(expected)
  for (const each of failed) expect(each).toMatchObject({ service, frontend })
})

const said = (type: string, data: object, streamversion: number) =>
  ({ type, data, streamversion, recordedtime: '2026-01-01T00:00:01.000Z' }) as RecordedEvent
const connected = { cluster: { driver: 'edge' } }

test('what is told of pools holds until somebody says who serves the cluster', () => {
  const told = [
    said('ClusterConnected', connected, 1),
    said('DirectReturnFailed', { pool: 'a' }, 2),
  ]
  const saidAt = Date.parse('2026-01-01T00:00:01.000Z')
  expect(returnStory(told)).toEqual({ driver: 'edge', saidAt, told: ['a'], version: 2 })
  const again = [...told, said('ClusterChanged', { cluster: { driver: 'cloud' } }, 3)]
  expect(returnStory(again)).toEqual({ driver: 'cloud', saidAt, told: [], version: 3 })
  expect(returnStory([...told, said('ClusterDeregistered', {}, 3)]).driver).toBeUndefined()
})
