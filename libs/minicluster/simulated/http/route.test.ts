import { expect, test } from 'vitest'
import { parseRoute, verbOf } from './route.ts'

const core = { kind: 'resource', group: '', version: 'v1' }

test.each([
  ['/api/v1/services', { ...core, namespace: '', resource: 'services', name: '', subresource: '' }],
  [
    '/api/v1/namespaces/a/services/web/status',
    { ...core, namespace: 'a', resource: 'services', name: 'web', subresource: 'status' },
  ],
  [
    '/api/v1/namespaces/a',
    { ...core, namespace: 'a', resource: 'namespaces', name: 'a', subresource: '' },
  ],
  [
    '/api/v1/namespaces/a/status',
    { ...core, namespace: 'a', resource: 'namespaces', name: 'a', subresource: 'status' },
  ],
  [
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Adiscovery',
    {
      kind: 'resource',
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      namespace: '',
      resource: 'clusterroles',
      name: 'system:discovery',
      subresource: '',
    },
  ],
  ['/apis/apps/v1', { kind: 'other', path: '/apis/apps/v1' }],
  ['/version', { kind: 'other', path: '/version' }],
])('%s', (path, route) => {
  expect(parseRoute(path)).toEqual(route)
})

test.each([
  ['GET', 'services', '', false, 'list'],
  ['GET', 'services', '', true, 'watch'],
  ['GET', 'services', 'web', false, 'get'],
  ['POST', 'services', '', false, 'create'],
  ['PUT', 'services', 'web', false, 'update'],
  ['PATCH', 'services', 'web', false, 'patch'],
  ['DELETE', 'services', 'web', false, 'delete'],
  ['DELETE', 'services', '', false, 'deletecollection'],
])('%s %s %s, watching %s, is %s', (method, resource, name, watching, verb) => {
  const route = {
    ...core,
    kind: 'resource' as const,
    namespace: 'a',
    resource,
    name,
    subresource: '',
  }
  expect(verbOf(method, route, watching)).toBe(verb)
})
