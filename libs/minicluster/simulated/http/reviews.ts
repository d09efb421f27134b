import type { Rbac } from '../auth/rbac.ts'
import type { Tokens } from '../auth/tokens.ts'
import type { Act, User } from '../auth/user.ts'
import { at, type Json, type JsonObject, listAt, textAt } from '../object.ts'
import type { ReviewType } from '../resources/registry.ts'
import { type Exchange, readJson, sendJson } from './exchange.ts'

interface Judges {
  readonly rbac: Rbac
  readonly tokens: Tokens
}

/** Answers a posted review: nothing is kept of it. */
export const answerReview = async (
  judges: Judges,
  exchange: Exchange,
  review: ReviewType,
): Promise<void> => {
  const body = await readJson(exchange.request, review.definition)
  const spec = at(body, 'spec') ?? {}
  sendJson(exchange, 201, {
    kind: review.kind,
    apiVersion: `${review.group}/${review.version}`,
    metadata: { creationTimestamp: null },
    spec,
    status: statusOf(judges, exchange.user, { kind: review.kind, spec }),
  })
}

interface Asked {
  readonly kind: string
  readonly spec: Json
}

const statusOf = ({ rbac, tokens }: Judges, user: User, { kind, spec }: Asked): JsonObject => {
  switch (kind) {
    case 'SelfSubjectAccessReview':
      return verdict(rbac, user, spec)
    case 'SelfSubjectRulesReview':
      return rulesOf(rbac, user, textAt(spec, 'namespace'))
    case 'SelfSubjectReview':
      return { userInfo: describe(user) }
    case 'TokenReview': {
      const found = tokens.userOf(textAt(spec, 'token'))
      return found === undefined
        ? { authenticated: false, error: 'invalid bearer token' }
        : { authenticated: true, user: describe(found) }
    }
    default: {
      const name = textAt(spec, 'user')
      return verdict(rbac, { name, groups: listAt(spec, 'groups').map(String) }, spec)
    }
  }
}

const describe = (user: User): JsonObject => ({
  username: user.name,
  ...(user.uid === undefined ? {} : { uid: user.uid }),
  groups: [...user.groups],
})

const verdict = (rbac: Rbac, user: User, spec: Json): JsonObject => {
  const resource = at(spec, 'resourceAttributes')
  const other = at(spec, 'nonResourceAttributes')
  const act: Act = {
    verb: textAt(resource ?? other, 'verb'),
    group: textAt(resource, 'group'),
    resource: textAt(resource, 'resource'),
    subresource: textAt(resource, 'subresource'),
    namespace: textAt(resource, 'namespace'),
    name: textAt(resource, 'name'),
    ...(resource === undefined ? { path: textAt(other, 'path') } : {}),
  }
  return { allowed: rbac.allows(user, act) }
}

const rulesOf = (rbac: Rbac, user: User, namespace: string): JsonObject => {
  const all: Json[] = user.groups.includes('system:masters')
    ? [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }]
    : []
  const rules = [...all, ...rbac.rulesOf(user, namespace)]
  return {
    resourceRules: rules.filter((rule) => at(rule, 'resources') !== undefined),
    nonResourceRules: rules.filter((rule) => at(rule, 'nonResourceURLs') !== undefined),
    incomplete: false,
  }
}
