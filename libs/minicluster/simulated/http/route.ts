/** What a path means. */
export type Route =
  | { readonly kind: 'other'; readonly path: string }
  | {
      readonly kind: 'resource'
      readonly group: string
      readonly version: string
      /** Empty for every namespace at once, and for what has none. */
      readonly namespace: string
      readonly resource: string
      readonly name: string
      readonly subresource: string
    }

export type ResourceRoute = Extract<Route, { kind: 'resource' }>

/**
 * Reads `/api/v1/...` and `/apis/GROUP/VERSION/...`. A namespace itself has the form of an object in
 * no namespace, but its subresources are told from resources in it by name.
 */
export const parseRoute = (path: string): Route => {
  const raw = path.split('/').slice(1)
  const parts = path.includes('%') ? raw.map(decodeURIComponent) : raw
  if (parts.at(-1) === '') parts.pop()
  const [root, ...rest] = parts
  if (root === 'api' && rest.length >= 2) return inGroup('', rest[0] ?? '', rest.slice(1))
  if (root === 'apis' && rest.length >= 3)
    return inGroup(rest[0] ?? '', rest[1] ?? '', rest.slice(2))
  return { kind: 'other', path }
}

const ofNamespace = new Set(['status', 'finalize'])

const inGroup = (group: string, version: string, parts: readonly string[]): Route => {
  const [first = '', second = '', third = '', ...more] = parts
  const scoped = first === 'namespaces' && third !== '' && !ofNamespace.has(third)
  const [resource, name, subresource] = scoped
    ? [third, more[0] ?? '', more.slice(1).join('/')]
    : [first, second, [third, ...more].filter(Boolean).join('/')]
  const namespace = scoped || first === 'namespaces' ? second : ''
  return { kind: 'resource', group, version, namespace, resource, name, subresource }
}

/** The verb that RBAC knows a request by. */
export const verbOf = (method: string, route: ResourceRoute, watching: boolean): string => {
  const single = route.name !== ''
  switch (method) {
    case 'GET':
    case 'HEAD':
      return watching ? 'watch' : single ? 'get' : 'list'
    case 'POST':
      return 'create'
    case 'PUT':
      return 'update'
    case 'PATCH':
      return 'patch'
    case 'DELETE':
      return single ? 'delete' : 'deletecollection'
    default:
      return method.toLowerCase()
  }
}
