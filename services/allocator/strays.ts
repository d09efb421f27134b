import { strayOf, strayWork, streamOf, type HeldRow, type TenantId } from '@weir/contract'
import type { Claim, Store, WorkItem } from '@weir/eventlog'
import type { Clock, Logger } from '@weir/kernel'
import { evolve, initialFacts } from './domain/fold.ts'
import { letGoOfStray } from './domain/strays.ts'
import { claimChange } from './claims.ts'
import type { Projection } from './projection.ts'

export interface StrayPorts {
  readonly store: Pick<Store, 'log'>
  readonly projection: Pick<Projection, 'offers' | 'reload'>
  readonly clock: Clock
  readonly log: Logger
  /** Who records it, and names the command. */
  readonly consumer: string
}

/** A look is made anew so often while others write to the story; gc asks for another one. */
const roundsMost = 5

/** Looks at the row that work is about, and lets go of it when its holder's life is over; whether it did. */
export const createStrays = ({ store: { log }, projection, ...ports }: StrayPorts) => {
  const { clock, consumer } = ports

  const look = async (tenant: TenantId, row: HeldRow): Promise<'let go' | 'stays' | 'lost'> => {
    const heldBy = async (): Promise<string | null> => {
      const claims = await log.claims(row.scope, row.key)
      const isMeant = (claim: Claim): boolean => claim.key === row.key && claim.tenant === tenant
      return claims.find(isMeant)?.holder ?? null
    }
    const holder = await heldBy()
    if (holder === null) return 'stays'
    const story = await log.story(tenant, holder)
    // Read again: an end that was recorded in between has let go of it.
    if ((await heldBy()) !== holder) return 'stays'
    const facts = story.reduce(evolve, initialFacts)
    const { pools } = await projection.offers()
    const { events, claims } = letGoOfStray({ facts, story, pools, now: clock.now() }, row)
    if (events.length === 0) return 'stays'
    const stream = streamOf('lb', holder)
    const { version } = facts
    const { status } = await log.append({
      tenant,
      commandId: `${consumer}/${holder}/${version}/${strayWork(row)}`,
      events: events.map((event) => ({ stream, expectedVersion: version, event })),
      claims: claims.map((claim) => claimChange(holder, claim)),
      actor: consumer,
      correlationId: holder,
      causationId: strayWork(row),
    })
    if (status !== 'appended') return 'lost'
    ports.log.warn({ tenant, service: holder, ...row }, 'let go of what was held without a reason')
    return 'let go'
  }

  return async ({ tenant, key }: Pick<WorkItem, 'tenant' | 'key'>): Promise<boolean> => {
    const row = strayOf(key)
    if (row === undefined) return false
    let outcome: Awaited<ReturnType<typeof look>> = 'lost'
    for (let round = 1; round <= roundsMost && outcome === 'lost'; round += 1) {
      outcome = await look(tenant, row)
    }
    if (outcome !== 'let go') return false
    await projection.reload()
    return true
  }
}
