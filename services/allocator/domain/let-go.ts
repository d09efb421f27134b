// How what is held is let go: at once, once it is out of use, or with the life.
import type { DomainEvent, EventData, Frontend, Lease } from '@weir/contract'
import { event } from '@weir/contract'
import { nothing, type Claiming, type Decision, type Situation } from './decision.ts'
import type { Balancer } from './fold.ts'
import { without } from './frontends.ts'
import { heldOf, isShared, type Held } from './sharing.ts'

/** Rest of an address whose pool is gone, or moves in one step: long enough to be out of every edge. */
const leastRestMs = 10_000
const defaultRestSeconds = 60
/** A Service whose address changes again and again holds no more old ones than this. */
const mostLeaving = 4
/** Likewise, one whose ports do: as many as a Service can have at once. */
const mostClosing = 500

/**
 * Old addresses that the resource may still use. Where the provider gives the address, ours are kept in
 * the lease itself while a former driver may use them; without a lease none does.
 */
export const leavingOf = (
  old: Extract<Balancer, { status: 'Serving' }>,
  { leases, choice }: EventData<'FrontendsAllocated'>,
): Lease[] => {
  if (choice === 'provider' && leases.length === 0) return []
  const mayStay = old.made && choice !== 'provider'
  const before = mayStay ? [...old.leaving, ...old.leases] : old.leaving
  return before.filter((lease) => !leases.some(({ ip }) => ip === lease.ip)).slice(-mostLeaving)
}

/**
 * Old frontends that the resource may still use on addresses it shares: another of the group must not have them
 * before. Those on an address of its own can be nobody else's.
 */
export const closingOf = (
  old: Extract<Balancer, { status: 'Serving' }>,
  { leases, frontends }: EventData<'FrontendsAllocated'>,
  leaving: readonly Lease[],
): Frontend[] => {
  if (!old.made) return []
  const shared = [...leases, ...leaving].filter(({ group }) => group !== undefined)
  return without([...old.closing, ...old.frontends], frontends)
    .filter((each) => shared.some(({ ip }) => ip === each.ip))
    .slice(-mostClosing)
}

/** What is served and shown has nothing of before any more. */
export const vacate = (
  at: Situation,
  { leaving, closing }: Extract<Balancer, { status: 'Serving' }>,
): Decision => ({
  events: [
    event('FrontendsVacated', {
      leases: [...leaving],
      ...(closing.length === 0 ? {} : { frontends: [...closing] }),
      quarantineUntil: restUntil(at, restingOf(at, leaving)),
    }),
  ],
  claims: [
    ...closing.map((each) => ({ change: 'release', at: each, restMs: 0 }) as const),
    ...leaving.map(
      (each) => ({ change: 'release', at: each.ip, restMs: restMs(at, each) }) as const,
    ),
  ],
})

/** Rows of the old holding that the new one no longer names. Made before broken: same transaction. */
export const lettingGoOf = (
  at: Situation,
  old: Extract<Balancer, { status: 'Serving' }>,
  {
    data: { leases, frontends, leaving = [], closing = [] },
  }: Extract<DomainEvent, { type: 'FrontendsAllocated' }>,
): Claiming[] => {
  const still = [...leases, ...leaving]
  const moved = [...old.leaving, ...old.leases].filter(
    (lease) => !still.some((each) => each.ip === lease.ip),
  )
  const closed = without([...old.frontends, ...old.closing], [...frontends, ...closing])
  return [
    ...closed.map((each) => ({ change: 'release', at: each, restMs: 0 }) as const),
    ...moved.map((each) => ({ change: 'release', at: each.ip, restMs: restMs(at, each) }) as const),
  ]
}

/** What the rest of an address depends on. */
type Resting = Pick<Situation, 'pools' | 'now'>

const restMs = (at: Resting, lease: Lease): number => {
  const pool = at.pools.find((each) => each.name === lease.pool)
  return Math.max(leastRestMs, 1000 * (pool?.quarantineSeconds ?? defaultRestSeconds))
}

/** Those that nobody else holds either. */
const restingOf = (at: Situation, leases: readonly Lease[]): readonly Lease[] =>
  leases.filter((lease) => !isShared(at, lease))

/** When the last of them comes out of its rest; now for none. */
const restUntil = (at: Resting, leases: readonly Lease[]): string =>
  new Date(at.now + Math.max(0, ...leases.map((lease) => restMs(at, lease)))).toISOString()

export const release = (
  at: Situation,
  old: Extract<Balancer, { status: 'Releasing' }>,
): Decision => {
  // A cluster that is no longer served may be out of reach, so its finalizers are not waited for: also
  // not when the Service had to go for another reason, and the cluster left while it went.
  const unreachable = at.deregistered || old.reason === 'cluster-deregistered'
  if (!old.absent || !(old.finalizerRemoved || unreachable)) return nothing
  const held = heldOf(old)
  return letGo(at, held, restingOf(at, held.leases))
}

/** All of it, for good: nobody may use it any more. */
export const letGo = (
  at: Resting,
  { leases, frontends }: Held,
  resting: readonly Lease[] = leases,
): Decision => {
  const released = event('FrontendsReleased', {
    leases: [...leases],
    frontends: [...frontends],
    quarantineUntil: resting.length > 0 ? restUntil(at, resting) : null,
  })
  return {
    events: [released],
    claims: [
      ...frontends.map((each) => ({ change: 'release', at: each, restMs: 0 }) as const),
      ...leases.map(
        (each) => ({ change: 'release', at: each.ip, restMs: restMs(at, each) }) as const,
      ),
    ],
  }
}
