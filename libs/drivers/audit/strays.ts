import type { TenantId } from '@weir/contract'
import type { AuditLog, LogFollower } from './log-follower.ts'

/** An address or frontend that is held although its holder's life is over. */
export interface StrayClaim {
  readonly scope: 'address' | 'frontend'
  readonly key: string
  readonly tenant: TenantId
  readonly holder: string
}

/** A Service that still carries our finalizer by the log, although nothing of it is left with us. */
export interface LeftFinalizer {
  readonly tenant: TenantId
  readonly service: string
  /** When its life ended, or when the finalizer went on; milliseconds by the log's clock. */
  readonly since: number
  /** Where it is, as far as the log knows. */
  readonly cluster: string | null
  readonly namespace: string | null
  readonly name: string | null
}

/** A finalizer of a life that is over is nobody's business for so long: it is being taken off. */
export const finalizerPatienceMs = 600_000

const scopes = ['address', 'frontend'] as const
const maxStrays = 1000

/** What is held in the log by nobody. Claims are read before the log: whoever took one is in it then. */
export const findStrayClaims = async (
  log: AuditLog,
  follower: LogFollower,
): Promise<readonly StrayClaim[]> => {
  const held: StrayClaim[] = []
  for (const scope of scopes) {
    for (const { key, holder, tenant } of await log.claims(scope, '')) {
      const is = holder !== null && !follower.places.holds(tenant, holder)
      if (is && held.length < maxStrays) held.push({ scope, key, tenant, holder })
    }
  }
  if (held.length === 0) return held
  await follower.catchUp()
  return held.filter(({ tenant, holder }) => !follower.places.holds(tenant, holder))
}

/** Finalizers that nobody is about to take off: of lives that ended `olderThanMs` ago, or never began. */
export const findLeftFinalizers = async (
  log: AuditLog,
  follower: LogFollower,
  olderThanMs: number,
): Promise<readonly LeftFinalizer[]> => {
  const now = await log.now()
  const found: LeftFinalizer[] = []
  for (const { tenant, service } of follower.places.leftFinalizers()) {
    if (found.length === maxStrays) break
    const story = await log.story(tenant, service)
    const last = story.findLast(({ type }) => ends.includes(type))
    const since = last === undefined ? now : Date.parse(last.recordedtime)
    if (now - since < olderThanMs) continue
    const home = story.findLast((event) => event.type === 'LoadBalancerRequested')?.data
    const { cluster = null, namespace = null, name = null } = home ?? {}
    found.push({ tenant, service, since, cluster, namespace, name })
  }
  return found
}

const ends: readonly string[] = ['FrontendsReleased', 'FinalizerAdded']
