/** Who is asking. */
export interface User {
  readonly name: string
  readonly uid?: string
  readonly groups: readonly string[]
}

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** What someone wants to do; a resource's verb or, with a path, an HTTP method. */
export interface Act {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  /** For what is not a resource, such as `/version`. */
  readonly path?: string
}
