import type { DomainEvent, RecordedEvent, TenantId } from '@weir/contract'
import type { Driver } from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { OperatingError } from '@weir/kernel'
import type { Trace } from '@weir/runtime'
import { ask, isAsking, StoryMoved, type Asking } from './ask.ts'
import { decide } from './domain/decide.ts'
import { evolve, foldStory, livingOf, type Folded } from './domain/fold.ts'
import { overtake } from './domain/serve.ts'
import type { Living } from './domain/state.ts'
import { placeOf, soonest, type Answer, type Look } from './domain/step.ts'
import type { Reach } from './fault-points.ts'
import {
  createKnow,
  type Absences,
  type Drivers,
  type KnowledgePorts,
  type Progress,
} from './knowledge.ts'

export interface DrivePorts extends KnowledgePorts {
  readonly log: Pick<EventLog, 'append' | 'story'>
  readonly trace: Pick<Trace, 'span' | 'current'>
  readonly reach: Reach
}

/** The place that each epoch's driver was told of, if it was. */
export type Told = ReadonlyMap<number, string>

/** Where a drive begins and what it may take as known. */
export interface Departure {
  readonly tenant: TenantId
  readonly service: string
  /** The story as it was folded before; undefined to read it. */
  readonly folded: Folded | undefined
  /** Places that need not be told again. */
  readonly told: Told
  /** What earlier passes of this process found absent; this one adds to it. */
  readonly absences: Absences
  /** Whether nodes, endpoints and the wish are compared too, or only the provider's answer. */
  readonly replan: boolean
}

export interface Arrival {
  readonly folded: Folded
  readonly told: Told
  readonly look: Look
}

/** A driver failed; what is done for other drivers' resources of the Service was done all the same. */
export class IncarnationFailed extends OperatingError {
  readonly epoch: number
  /** As the driver said it. */
  readonly failure: OperatingError
  constructor(epoch: number, failure: OperatingError) {
    super(failure.message, { cause: failure.cause, ...(failure.retry && { retry: failure.retry }) })
    this.epoch = epoch
    this.failure = failure
  }
}

/** More steps than any way from one state to rest; a pass that needs more comes back later. */
const maxSteps = 32
/** A story that was read, written or claimed so long ago is read again before a call changes anything. */
const storyAgeMs = 250

/**
 * Takes step after step for one Service until there is nothing to do now. Nothing waits inside. Every
 * step may be the last before a crash: whoever comes next begins from the story and the provider.
 * @throws IncarnationFailed when a driver failed, after the others had their turn
 */
export const drive = async (ports: DrivePorts, from: Departure): Promise<Arrival> => {
  const begunAt = ports.clock.now()
  const folded = from.folded ?? (await readStory(ports, from))
  const { state } = folded
  if (state.status === 'Nothing') return { folded, told: new Map(), look: { when: 'called' } }
  // A routine look is no part of the story that once began; it would grow its trace for ever.
  const routine = from.folded !== undefined && state.status === 'Programmed'
  if (routine) return takeSteps(ports, from, { folded, begunAt })
  const attributes = { tenant: from.tenant, service: from.service, state: state.status }
  const span = { parent: state.cause.traceparent, kind: 'consumer', attributes } as const
  return ports.trace.span('provision', span, () => takeSteps(ports, from, { folded, begunAt }))
}

const readStory = async (ports: DrivePorts, { tenant, service }: Departure): Promise<Folded> =>
  foldStory(await ports.log.story(tenant, service))

type Pass = ReturnType<typeof createPass>

/** Calls the driver of one incarnation and notes what it said. */
const takeAsking = async (
  ports: DrivePorts,
  from: Departure,
  { pass, state, step }: { readonly pass: Pass; readonly state: Living; readonly step: Asking },
): Promise<void> => {
  const driver = driverOf(ports.drivers, state)
  const { reach, clock } = ports
  // A call of a moment ago says as much; whoever paused, or waited for a slow provider, reads again.
  const stands = async (): Promise<boolean> => {
    if (clock.now() - pass.readAt <= storyAgeMs) return true
    const askedAt = clock.now()
    const now = livingOf(await readStory(ports, from)).find(({ epoch }) => epoch === state.epoch)
    pass.readAt = askedAt
    return now?.status === state.status && now.version === state.version
  }
  const learned = await ask(driver, step, pass.of(state), { reach, stands })
  pass.progress.set(state.epoch, learned)
  const place = placeOf(state)
  const found = learned.sight?.status
  // What was asked to go was there, whatever a read says a moment later.
  const wasThere = step.step === 'remove' && learned.acted
  if (found === 'present' || wasThere) from.absences.delete(place)
  if (found === 'absent' && !from.absences.has(place)) from.absences.set(place, clock.now())
}

const takeSteps = async (ports: DrivePorts, from: Departure, begun: Begun): Promise<Arrival> => {
  const know = createKnow(ports, from)
  const pass = createPass(begun, from)
  const { clock } = ports
  for (let steps = 0; steps < maxSteps; steps += 1) {
    const { folded } = pass
    const state = livingOf(folded).find(({ epoch }) => !pass.rests.has(epoch))
    if (state === undefined) return arrive(pass)
    const progress = pass.of(state)
    const step = decide(state, await know(folded, state, progress))
    if (step.step === 'rest') {
      pass.rests.set(state.epoch, step.look)
      continue
    }
    if (isAsking(step)) {
      await takeAsking(ports, from, { pass, state, step }).catch(async (error: unknown) => {
        const askedAt = clock.now()
        if (error instanceof StoryMoved) pass.reread(await readStory(ports, from), askedAt)
        else pass.fail(state, error)
      })
      continue
    }
    const events = step.step === 'record' ? step.events : overtaking(state, progress.answer)
    const isOld = step.step === 'reread' && !pass.fresh
    if (!isOld && events === undefined) {
      pass.fail(state, aheadOfLog(state))
      continue
    }
    const askedAt = clock.now()
    const recorded =
      isOld || events === undefined
        ? undefined
        : await append(ports, state, { tenant: from.tenant, events })
    if (recorded) pass.fold(recorded.reduce(evolve, folded), askedAt)
    else pass.reread(await readStory(ports, from), askedAt)
  }
  const look = { when: 'soon', afterMs: 1000 } as const
  return { ...arrive(pass), told: new Map(), look }
}

/** The story that a pass begins with, and when the pass began. */
interface Begun {
  readonly folded: Folded
  readonly begunAt: number
}

/** What one pass has learned so far. */
const createPass = ({ folded: begun, begunAt }: Begun, from: Departure) => {
  const progress = new Map<number, Progress>()
  for (const [epoch, place] of from.told) progress.set(epoch, { ...untold(place), answer: done })
  const rests = new Map<number, Look>()
  const failures: IncarnationFailed[] = []
  const pass = {
    folded: begun,
    /** Whether the story was read in this pass. */
    fresh: from.folded === undefined,
    /**
     * When the story was known to stand as it is: not later than its read or its append was asked for,
     * since an answer may lie for as long as the process is paused. A hint of a provider knows nothing.
     */
    readAt: from.replan ? begunAt : -Infinity,
    progress,
    rests,
    failures,
    of: (state: Living): Progress => {
      const known = progress.get(state.epoch)
      const place = placeOf(state)
      return known?.place === place ? known : untold(place)
    },
    /** The others have their turn before it is told. */
    fail: (state: Living, error: unknown): void => {
      if (!(error instanceof OperatingError)) throw error
      failures.push(new IncarnationFailed(state.epoch, error))
      rests.set(state.epoch, { when: 'called' })
    },
    /** What one incarnation became may be what another waits for. */
    fold: (next: Folded, askedAt: number): void => {
      pass.folded = next
      pass.readAt = askedAt
      rests.clear()
      for (const { epoch } of failures) rests.set(epoch, { when: 'called' })
    },
    reread: (next: Folded, askedAt: number): void => {
      pass.fold(next, askedAt)
      pass.fresh = true
      progress.clear()
    },
  }
  return pass
}

const arrive = (pass: Pass): Arrival => {
  const [failure] = pass.failures
  if (failure !== undefined) throw failure
  const told = livingOf(pass.folded).flatMap((state): [number, string][] => {
    const { place, answer } = pass.of(state)
    const isTold = answer?.status === 'done' || answer?.status === 'pending'
    return isTold ? [[state.epoch, place]] : []
  })
  const { folded, rests } = pass
  return { folded, told: new Map(told), look: soonest([...rests.values()]) }
}

const untold = (place: string): Progress => ({
  place,
  polled: null,
  answer: null,
  asked: false,
  acted: false,
  sight: null,
})
const done: Answer = { status: 'done' }

const overtaking = (state: Living, answer: Answer | null): readonly DomainEvent[] | undefined =>
  answer?.status === 'superseded' ? overtake(state, answer) : undefined

const aheadOfLog = ({ key, epoch }: Living): OperatingError =>
  new OperatingError(
    `cannot change ${key}: the provider has a later incarnation than ${epoch}; ` +
      'if the log was restored from a copy, remove the resource there by hand',
  )

const driverOf = (drivers: Drivers, { wish, key }: Living): Driver => {
  const driver = drivers.get(wish.driver)
  if (driver !== undefined) return driver
  throw new OperatingError(`cannot reach ${key}: no driver "${wish.driver}" runs here`)
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
  if (outcome.status !== 'appended') return undefined
  ports.reach('provisioner.after-record')
  return outcome.events
}
