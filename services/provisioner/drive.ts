import type {
  DomainEvent,
  DriverName,
  InstallationId,
  RecordedEvent,
  TenantId,
} from '@weir/contract'
import { carryOut, findUnsupported, type CarriedOut, type Driver } from '@weir/drivers'
import type { EventLog, Observed } from '@weir/eventlog'
import { assertNever, OperatingError } from '@weir/kernel'
import type { Trace } from '@weir/runtime'
import type { ReadClusterFacts } from './cluster-facts.ts'
import {
  decide,
  overtake,
  type Answer,
  type Knowledge,
  type Look,
  type Sight,
  type Step,
} from './domain/decide.ts'
import { evolve, foldStory, type Folded } from './domain/fold.ts'
import { planResource, type Plan, type PlanSources } from './domain/plan.ts'
import type { ProvisionState } from './domain/state.ts'

export interface DrivePorts {
  readonly log: Pick<EventLog, 'append' | 'story'>
  readonly observed: Pick<Observed, 'get'>
  readonly clusterFacts: ReadClusterFacts
  readonly drivers: ReadonlyMap<DriverName, Driver>
  readonly installation: InstallationId
  readonly trace: Pick<Trace, 'span' | 'current'>
}

/** Where a drive begins and what it may take as known. */
export interface Departure {
  readonly tenant: TenantId
  readonly service: string
  /** The story as it was folded before; undefined to read it. */
  readonly folded: Folded | undefined
  /** The place the driver was told of before, if it need not be told again. */
  readonly told: string | undefined
  /** Whether nodes, endpoints and the wish are compared too, or only the provider's answer. */
  readonly replan: boolean
}

export interface Arrival {
  readonly folded: Folded
  readonly told: string | undefined
  readonly look: Look
}

/** What the driver said about one place; worth nothing once the state is at another. */
interface Progress {
  readonly place: string
  readonly answer: Answer | null
  readonly sight: Sight | null
}

type Living = Exclude<ProvisionState, { status: 'Nothing' }>

/** More steps than any way from one state to rest; a pass that needs more comes back later. */
const maxSteps = 16

/**
 * Takes step after step for one Service until there is nothing to do now. Nothing waits inside. Every
 * step may be the last before a crash: whoever comes next begins from the story and the provider.
 */
export const drive = async (ports: DrivePorts, from: Departure): Promise<Arrival> => {
  const folded = from.folded ?? (await readStory(ports, from))
  const { state } = folded
  if (state.status === 'Nothing') return { folded, told: undefined, look: { when: 'called' } }
  // A routine look is no part of the story that once began; it would grow its trace for ever.
  const routine = from.folded !== undefined && state.status === 'Programmed'
  if (routine) return takeSteps(ports, from, folded)
  const attributes = { tenant: from.tenant, service: from.service, state: state.status }
  const span = { parent: state.cause.traceparent, kind: 'consumer', attributes } as const
  return ports.trace.span('provision', span, () => takeSteps(ports, from, folded))
}

const readStory = async (ports: DrivePorts, { tenant, service }: Departure): Promise<Folded> =>
  foldStory(await ports.log.story(tenant, service))

const takeSteps = async (ports: DrivePorts, from: Departure, begun: Folded): Promise<Arrival> => {
  const planFor = createPlanner(ports, from)
  let fresh = from.folded === undefined
  let folded = begun
  let progress = from.told === undefined ? untold : { ...untold, place: from.told, answer: done }
  for (let steps = 0; steps < maxSteps; steps += 1) {
    const { state } = folded
    if (state.status === 'Nothing') return { folded, told: undefined, look: { when: 'called' } }
    const place = placeOf(state)
    if (progress.place !== place) progress = { ...untold, place }
    const step = decide(state, await knowledge(ports, state, { from, planFor, progress }))
    if (step.step === 'rest') return { folded, told: toldPlace(progress), look: step.look }
    if (step.step === 'apply' || step.step === 'remove' || step.step === 'observe') {
      progress = await ask(driverOf(ports, state), step, progress)
      continue
    }
    if (step.step === 'record' || fresh) {
      const events = step.step === 'record' ? step.events : overtaking(state, progress.answer)
      const appended = await append(ports, state, { tenant: from.tenant, events })
      if (appended !== undefined) {
        folded = appended.reduce(evolve, folded)
        continue
      }
    }
    folded = await readStory(ports, from)
    fresh = true
    progress = untold
  }
  return { folded, told: undefined, look: { when: 'soon', afterMs: 1000 } }
}

const untold: Progress = { place: '', answer: null, sight: null }
const done: Answer = { status: 'done' }

/** The order that a state stands for: to serve a generation, or to be gone. */
const placeOf = (state: Living): string =>
  `${state.status === 'Removing' ? 'remove' : 'serve'} ${state.key} ${state.epoch}/${state.generation}`

const toldPlace = ({ place, answer }: Progress): string | undefined =>
  answer?.status === 'done' || answer?.status === 'pending' ? place : undefined

const overtaking = (state: Living, answer: Answer | null): readonly DomainEvent[] => {
  const events = answer?.status === 'superseded' ? overtake(state, answer) : undefined
  if (events !== undefined) return events
  throw new OperatingError(
    `cannot change ${state.key}: the provider has a later incarnation than ${state.epoch}; ` +
      'if the log was restored from a copy, remove the resource there by hand',
  )
}

type ReadPlan = (state: Living) => Promise<Plan>

/** Plans at most once per state; where traffic can go is read at most once per pass. */
const createPlanner = (ports: DrivePorts, from: Departure): ReadPlan => {
  let planned: { readonly state: Living; readonly plan: Plan } | undefined
  const sourcesOf = async ({ wish }: Living): Promise<PlanSources> => {
    const { tenant } = from
    const { cluster, service, intent, driver } = wish
    const at = { tenant, cluster, kind: 'endpoints', key: service } as const
    const local = intent.externalTrafficPolicy === 'Local'
    const [facts, endpoints] = await Promise.all([
      ports.clusterFacts(tenant, cluster),
      local ? ports.observed.get(at) : undefined,
    ])
    const families = ports.drivers.get(driver)?.capabilities.ipFamilies ?? []
    return { ...facts, endpoints, installation: ports.installation, tenant, families }
  }
  let sources: Promise<PlanSources> | undefined
  return async (state) => {
    if (planned?.state === state) return planned.plan
    sources ??= sourcesOf(state)
    planned = { state, plan: planResource(state, await sources) }
    return planned.plan
  }
}

const planned: readonly ProvisionState['status'][] = ['Wanted', 'Intended', 'Programmed']

const knowledge = async (
  ports: DrivePorts,
  state: Living,
  pass: { readonly from: Departure; readonly planFor: ReadPlan; readonly progress: Progress },
): Promise<Knowledge> => {
  const { from, progress } = pass
  const { installation } = ports
  const { cluster, service } = state.wish
  const { key, epoch } = state
  const marks = { installation, tenant: from.tenant, cluster, service, key, epoch }
  const replan = from.replan && planned.includes(state.status)
  const plan: Plan = replan ? await pass.planFor(state) : { status: 'waiting' }
  const { answer, sight } = progress
  return {
    plan,
    refusal: refusalOf(ports, state, plan),
    answer,
    sight,
    marks: state.desired?.marks ?? marks,
  }
}

const refusalOf = (ports: DrivePorts, state: Living, plan: Plan): Knowledge['refusal'] => {
  if (plan.status !== 'wanted') return null
  const { driver } = state.wish
  const capabilities = ports.drivers.get(driver)?.capabilities
  if (capabilities === undefined) {
    return { capability: 'driver', problem: `no driver "${driver}" runs in this installation` }
  }
  return findUnsupported(capabilities, plan.wanted) ?? null
}

const driverOf = (ports: DrivePorts, { wish, key }: Living): Driver => {
  const driver = ports.drivers.get(wish.driver)
  if (driver !== undefined) return driver
  throw new OperatingError(`cannot reach ${key}: no driver "${wish.driver}" runs here`)
}

/** What an order came to, with the read that it ended in. */
const told = (progress: Progress, { outcome, seen }: CarriedOut): Progress => ({
  ...progress,
  answer: outcome,
  sight: seen,
})

/** One order to the provider or one read of it, and what that taught. */
const ask = async (
  driver: Driver,
  step: Extract<Step, { step: 'apply' | 'remove' | 'observe' }>,
  progress: Progress,
): Promise<Progress> => {
  switch (step.step) {
    case 'apply':
      return told(progress, await carryOut(driver, { order: 'serve', desired: step.desired }))
    case 'remove':
      return told(progress, await carryOut(driver, { order: 'remove', marks: step.marks }))
    case 'observe':
      return { ...progress, sight: await driver.observe(step.marks) }
    default:
      return assertNever(step)
  }
}

/** The events as recorded; undefined when somebody else decided first, or this was decided before. */
const append = async (
  ports: DrivePorts,
  state: Living,
  what: { readonly tenant: TenantId; readonly events: readonly DomainEvent[] },
): Promise<readonly RecordedEvent[] | undefined> => {
  const { stream, version, cause, wish } = state
  const traceparent = ports.trace.current() ?? cause.traceparent
  const outcome = await ports.log.append({
    tenant: what.tenant,
    commandId: `provisioner/${stream}/${version}`,
    events: what.events.map((event) => ({ stream, expectedVersion: version, event })),
    actor: 'provisioner',
    correlationId: wish.service,
    causationId: cause.eventId,
    ...(traceparent === undefined ? {} : { traceparent }),
  })
  return outcome.status === 'appended' ? outcome.events : undefined
}
