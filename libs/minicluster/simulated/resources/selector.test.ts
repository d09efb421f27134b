import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../object.ts'
import { pods } from './pod.ts'
import {
  formatSelector,
  parseFieldSelector,
  parseLabelSelector,
  readLabelSelector,
} from './selector.ts'

describe('a label selector', () => {
  const labels = { app: 'web', tier: 'front', 'example.com/zone': 'a' }
  test.each([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app = web', true],
    ['app=mail', false],
    ['app!=mail', true],
    ['missing!=mail', true],
    ['app', true],
    ['missing', false],
    ['!missing', true],
    ['!app', false],
    ['app in (web, mail)', true],
    ['app notin (web,mail)', false],
    ['missing notin (x)', true],
    ['app=web,tier in (front,back),!old', true],
    ['app=web,tier in (back)', false],
    ['example.com/zone=a', true],
  ])('%s selects: %s', (text, expected) => {
    expect(parseLabelSelector(text)(labels)).toBe(expected)
  })

  test('that is malformed is refused', () => {
    expect(() => parseLabelSelector('app in web')).toThrow('unable to parse requirement')
  })
})

test('a selector object selects by labels and expressions, and reads back', () => {
  const selector = {
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['front', 'back'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  }
  const selects = readLabelSelector(selector)
  expect(selects({ app: 'web', tier: 'back' })).toBe(true)
  expect(selects({ app: 'web', tier: 'back', old: '' })).toBe(false)
  expect(selects({ app: 'web' })).toBe(false)
  expect(formatSelector(selector)).toBe('app=web,tier in (back,front),!old')
})

describe('a field selector', () => {
  const pod: KubeObject = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: { name: 'web', namespace: 'default' },
    spec: { nodeName: 'node-1' },
  }
  test.each([
    ['metadata.name=web', true],
    ['metadata.name!=web', false],
    ['spec.nodeName=node-1,metadata.namespace=default', true],
    ['spec.nodeName=', false],
    ['status.phase!=Running', true],
  ])('%s selects: %s', (text, expected) => {
    expect(parseFieldSelector(pods, text)?.(pod)).toBe(expected)
  })

  test('of a field that the kind does not offer is refused', () => {
    expect(() => parseFieldSelector(pods, 'spec.hostname=x')).toThrow(
      'field label not supported: spec.hostname',
    )
  })
})
