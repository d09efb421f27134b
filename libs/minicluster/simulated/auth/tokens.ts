import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { Cluster } from '../cluster.ts'
import { at, type Json, type KubeObject, textAt } from '../object.ts'
import type { User } from './user.ts'

export const issuer = 'https://kubernetes.default.svc.cluster.local'

export interface TokenRequest {
  readonly account: KubeObject
  readonly audiences: readonly string[]
  readonly seconds: number
}

/**
 * Tokens of service accounts: JWTs signed with the cluster's key, good until they expire or their
 * account is deleted.
 */
export class Tokens {
  readonly #cluster: Cluster
  readonly #private: KeyObject
  readonly #public: KeyObject
  /** What a verified token says; verifying costs more than the rest of a small request. */
  readonly #known = new Map<string, Json>()

  constructor(cluster: Cluster, keyPem: string) {
    this.#cluster = cluster
    this.#private = createPrivateKey(keyPem)
    this.#public = createPublicKey(keyPem)
  }

  issue({ account, audiences, seconds }: TokenRequest): string {
    const now = Math.floor(this.#cluster.clock.now() / 1000)
    const { namespace = '', name, uid = '' } = account.metadata
    const claims = {
      aud: audiences,
      exp: now + seconds,
      iat: now,
      iss: issuer,
      jti: this.#cluster.ids.uuid(),
      'kubernetes.io': { namespace, serviceaccount: { name, uid } },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${name}`,
    }
    const text = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode(claims)}`
    const signature = sign('sha256', Buffer.from(text), {
      key: this.#private,
      dsaEncoding: 'ieee-p1363',
    })
    return `${text}.${signature.toString('base64url')}`
  }

  /** The user a token stands for; undefined when it stands for nobody. */
  userOf(token: string): User | undefined {
    const claims = this.#known.get(token) ?? this.#verified(token)
    if (claims === undefined) return undefined
    const expires = Number(at(claims, 'exp') ?? 0) * 1000
    if (expires <= this.#cluster.clock.now()) return undefined
    const scope = at(claims, 'kubernetes.io')
    const namespace = textAt(scope, 'namespace')
    const name = textAt(scope, 'serviceaccount', 'name')
    const uid = textAt(scope, 'serviceaccount', 'uid')
    const account = this.#cluster.store.table('serviceaccounts').get(`${namespace}/${name}`)
    if (account?.object.metadata.uid !== uid) return undefined
    return {
      name: `system:serviceaccount:${namespace}:${name}`,
      uid,
      groups: [
        'system:serviceaccounts',
        `system:serviceaccounts:${namespace}`,
        'system:authenticated',
      ],
    }
  }

  #verified(token: string): Json | undefined {
    const parts = token.split('.')
    const [header = '', claims = '', signature = ''] = parts
    if (parts.length !== 3) return undefined
    const key = { key: this.#public, dsaEncoding: 'ieee-p1363' } as const
    const signed = Buffer.from(`${header}.${claims}`)
    if (!verify('sha256', signed, key, Buffer.from(signature, 'base64url'))) return undefined
    const parsed: Json = JSON.parse(Buffer.from(claims, 'base64url').toString())
    if (this.#known.size >= mostKnown) this.#known.clear()
    this.#known.set(token, parsed)
    return parsed
  }
}

const mostKnown = 1_000

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
