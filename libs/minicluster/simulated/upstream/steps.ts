import type { JsonObject } from '../object.ts'

/** One request of a case; `path` is below `/api/v1/namespaces/NAMESPACE`. */
export interface Step {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET'
  readonly path: string
  /** Of a PATCH: `merge`, `strategic` or `json`. */
  readonly patch?: 'merge' | 'strategic' | 'json'
  readonly body?: JsonObject | JsonObject[]
}

export interface Case {
  readonly name: string
  readonly steps: readonly Step[]
}

export const web = { app: 'web' }
export const http = { port: 80 }

export const service = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', ...metadata },
  spec,
})

export const make = (spec: JsonObject, metadata: JsonObject = {}): Step => ({
  method: 'POST',
  path: '/services',
  body: service(spec, metadata),
})

export const merge = (body: JsonObject, path = '/services/web'): Step => ({
  method: 'PATCH',
  path,
  patch: 'merge',
  body,
})

export const strategic = (body: JsonObject, path = '/services/web'): Step => ({
  method: 'PATCH',
  path,
  patch: 'strategic',
  body,
})

export const setIngress = (...ingress: JsonObject[]): Step =>
  merge({ status: { loadBalancer: { ingress } } }, '/services/web/status')

export const read: Step = { method: 'GET', path: '/services/web' }
export const remove: Step = { method: 'DELETE', path: '/services/web' }

export const balancer = (more: JsonObject = {}): JsonObject => ({
  type: 'LoadBalancer',
  selector: web,
  ports: [http],
  ...more,
})

export const created = (name: string, spec: JsonObject, metadata: JsonObject = {}): Case => ({
  name,
  steps: [make(spec, metadata)],
})
