import type { DriverName, InstallationId, TenantId } from '@weir/contract'
import { findUnsupported, type Driver } from '@weir/drivers'
import type { Observed } from '@weir/eventlog'
import type { Clock } from '@weir/kernel'
import type { ReadClusterFacts } from './cluster-facts.ts'
import { roleOf, type Folded } from './domain/fold.ts'
import { planResource, type Plan, type PlanSources, type Reach } from './domain/plan.ts'
import type { Living } from './domain/state.ts'
import { placeOf, type Answer, type Knowledge, type Sight } from './domain/step.ts'

/** The drivers that run here, by name; others may come and go. */
export type Drivers = Pick<ReadonlyMap<DriverName, Driver>, 'get'>

export interface KnowledgePorts {
  readonly observed: Pick<Observed, 'get'>
  readonly clusterFacts: ReadClusterFacts
  readonly drivers: Drivers
  readonly installation: InstallationId
  readonly clock: Clock
}

/** What the driver said about one place; worth nothing once the state is at another. */
export interface Progress {
  readonly place: string
  readonly polled: Answer | null
  readonly answer: Answer | null
  readonly asked: boolean
  /** Whether the order of this pass had to call for a change. */
  readonly acted: boolean
  readonly sight: Sight | null
}

/** When a read of an order, named by its place, first found nothing, with nothing found since. */
export type Absences = Map<string, number>

/** A provider's own API may show for so long what it had before; our edges are asked themselves. */
const providerLagMs = 10_000

/** Puts together what is known of an incarnation in one pass. */
export type Know = (folded: Folded, state: Living, progress: Progress) => Promise<Knowledge>

const planned: readonly Living['status'][] = ['Wanted', 'Intended', 'Programmed']

/**
 * Where traffic can go is read at most once per pass, and each state is planned for at most once.
 * Without `replan` only the provider's answer counts, nothing is read, and nothing told once more.
 */
export const createKnow = (
  ports: KnowledgePorts,
  pass: { readonly tenant: TenantId; readonly replan: boolean; readonly absences: Absences },
): Know => {
  const { tenant, replan, absences } = pass
  const { installation, drivers, clock } = ports
  const plans = new WeakMap<Living, Plan>()
  let sources: Promise<Omit<PlanSources, 'reach'>> | undefined

  const read = async ({ wish }: Living): Promise<Omit<PlanSources, 'reach'>> => {
    const { cluster, service, intent } = wish
    const at = { tenant, cluster, kind: 'endpoints', key: service } as const
    const local = intent.externalTrafficPolicy === 'Local'
    const [facts, endpoints] = await Promise.all([
      ports.clusterFacts(tenant, cluster),
      local ? ports.observed.get(at) : undefined,
    ])
    return { ...facts, endpoints, installation, tenant }
  }
  const planFor = async (state: Living): Promise<Plan> => {
    const known = plans.get(state)
    if (known !== undefined) return known
    sources ??= read(state)
    const reach = drivers.get(state.wish.driver)?.capabilities ?? unknownDriver
    const plan = planResource(state, { ...(await sources), reach })
    plans.set(state, plan)
    return plan
  }

  return async (folded, state, { polled, answer, asked, sight }) => {
    const { cluster, service } = state.wish
    const { key, epoch } = state
    const marks = { installation, tenant, cluster, service, key, epoch }
    const plan: Plan =
      replan && planned.includes(state.status) ? await planFor(state) : { status: 'waiting' }
    return {
      plan,
      refusal: refusalOf(drivers, state, plan),
      polled,
      answer,
      asked: asked || !replan,
      sight,
      absence: {
        since: absences.get(placeOf(state)) ?? null,
        lagMs:
          drivers.get(state.wish.driver)?.capabilities.addresses === 'provider' ? providerLagMs : 0,
      },
      marks: state.desired?.marks ?? marks,
      role: roleOf(folded, state),
      now: clock.now(),
    }
  }
}

/** What is granted to a driver that does not run here is planned like for a cloud, and then refused. */
const unknownDriver: Reach = { ipFamilies: [], addresses: 'provider', targetsByProviderId: null }

const refusalOf = (drivers: Drivers, state: Living, plan: Plan): Knowledge['refusal'] => {
  if (plan.status !== 'wanted') return null
  const { driver } = state.wish
  const capabilities = drivers.get(driver)?.capabilities
  if (capabilities === undefined) {
    return { capability: 'driver', problem: `no driver "${driver}" runs in this installation` }
  }
  return findUnsupported(capabilities, plan.wanted) ?? null
}
