// Tokens: `weir_<id>_<secret>`. The vault keeps a SHA-256 of the secret, which is 32 random bytes, so
// that nothing needs a slow hash and a stolen table gives no token.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { platformTenant, tenantId, type TenantId } from '@weir/contract'
import type { Vault } from '@weir/eventlog'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { notFound, Problem } from './problem.ts'

export const tokenRole = z.enum(['admin', 'viewer'])

/** Who asks. The platform's tenant may see every tenant. */
export interface Caller {
  readonly tenant: TenantId
  readonly role: z.infer<typeof tokenRole>
  readonly tokenId: string
}

const storedToken = z.object({ tenant: tenantId, role: tokenRole, hash: z.string().length(64) })
const tokenPattern = /^weir_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const equal = (a: string, b: string): boolean =>
  timingSafeEqual(Buffer.from(sha256(a)), Buffer.from(sha256(b)))

export interface Tokens {
  /**
   * Makes a token; its text is told once and kept nowhere. It works only after `record` has recorded
   * that it was given out, so that no token is unknown to the audit.
   */
  issue(
    tenant: TenantId,
    role: Caller['role'],
    record: (id: string) => Promise<void>,
  ): Promise<{ readonly id: string; readonly token: string }>
  /** Who a request comes from. @throws Problem 401 */
  callerOf(request: FastifyRequest): Promise<Caller>
}

/**
 * @param adminToken the operator's own token, from the environment; it is the platform's.
 */
export const createTokens = (vault: Vault, adminToken: string): Tokens => ({
  issue: async (tenant, role, record) => {
    const id = randomBytes(8).toString('hex')
    const secret = randomBytes(32).toString('base64url')
    const stored = JSON.stringify({ tenant, role, hash: sha256(secret) })
    await record(id)
    await vault.put(platformTenant, `token/${id}`, new TextEncoder().encode(stored))
    return { id, token: `weir_${id}_${secret}` }
  },
  callerOf: async (request) => {
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (bearer === undefined) {
      throw new Problem(
        401,
        'no-token',
        'the request has no bearer token',
        'send Authorization: Bearer TOKEN',
      )
    }
    if (equal(bearer, adminToken)) {
      return { tenant: platformTenant, role: 'admin', tokenId: 'operator' }
    }
    const [, id, secret] = tokenPattern.exec(bearer) ?? []
    const bytes = id === undefined ? undefined : await vault.get(platformTenant, `token/${id}`)
    const stored = bytes && storedToken.parse(JSON.parse(new TextDecoder().decode(bytes)))
    if (!stored || !id || !secret || !equal(stored.hash, sha256(secret))) {
      throw new Problem(
        401,
        'bad-token',
        'the token is not known',
        'ask an administrator for a new one',
      )
    }
    return { tenant: stored.tenant, role: stored.role, tokenId: id }
  },
})

/** Whether `caller` may look at `tenant`. @throws Problem 404, as if the tenant were not there */
export const maySee = (caller: Caller, tenant: TenantId): void => {
  if (caller.tenant !== tenant && caller.tenant !== platformTenant)
    throw notFound(`tenant ${tenant}`)
}

/** Whether `caller` may change `tenant`. @throws Problem 403 or 404 */
export const mayChange = (caller: Caller, tenant: TenantId): void => {
  maySee(caller, tenant)
  if (caller.role !== 'admin') {
    throw new Problem(
      403,
      'viewer-token',
      'a viewer token may not change anything',
      'use an admin token',
    )
  }
}
