import {
  streamOf,
  type DriverName,
  type OwnershipMarks,
  type RecordedEvent,
  type ResourceKey,
} from '@weir/contract'

/** An event of the story, as far as a judgement needs it. */
interface At {
  readonly id: string
  readonly sequence: number
  /** When the log took it, milliseconds since the epoch by the log's clock. */
  readonly at: number
}

/** What a Service's story says about one of its resources. */
export interface ResourceTold {
  readonly owner: {
    /** `held` is wanted; `leaving` was released and still holds addresses; `over` holds nothing. */
    readonly phase: 'none' | 'held' | 'leaving' | 'over'
    readonly driver: DriverName | undefined
    /** Sequence of the newest life's first event. */
    readonly bornAt: number
    /** The newest end of a life, which is what proves that its resource may go. */
    readonly release: (At & { readonly reason: string }) | undefined
  }
  /** Version of the resource stream: what the next append must expect. */
  readonly version: number
  /** The newest intent, of the greatest epoch. */
  readonly intent:
    | (At & {
        readonly epoch: number
        readonly driver: DriverName
        readonly marks: OwnershipMarks
      })
    | undefined
  /** The newest delete intent. */
  readonly deleted: (At & { readonly epoch: number; readonly reason: string }) | undefined
  /** The newest absence that was recorded. */
  readonly absent: (At & { readonly epoch: number }) | undefined
  /** Condemned and neither spared nor removed, by ref. */
  readonly condemned: ReadonlyMap<string, At & { readonly epoch: number }>
}

/** Folds a story, given in sequence order, for the resource `key`. */
export const tellResource = (story: readonly RecordedEvent[], key: string): ResourceTold => {
  const stream = streamOf('resource', key)
  return story.reduce((told, event) => {
    if (event.subject.startsWith('lb-')) return { ...told, owner: evolveOwner(told.owner, event) }
    return event.subject === stream ? evolve(told, event) : told
  }, unheard)
}

const unheard: ResourceTold = {
  owner: { phase: 'none', driver: undefined, bornAt: 0, release: undefined },
  version: 0,
  intent: undefined,
  deleted: undefined,
  absent: undefined,
  condemned: new Map(),
}

const atOf = ({ id, sequence, recordedtime }: RecordedEvent): At => ({
  id,
  sequence,
  at: Date.parse(recordedtime),
})

const evolveOwner = (owner: ResourceTold['owner'], event: RecordedEvent): ResourceTold['owner'] => {
  switch (event.type) {
    case 'LoadBalancerRequested': {
      const { driver } = event.data
      return { ...owner, phase: 'held', driver, bornAt: event.sequence }
    }
    case 'DriverChanged':
      return { ...owner, driver: event.data.to }
    case 'ReleaseRequested':
      return {
        ...owner,
        phase: 'leaving',
        release: { ...atOf(event), reason: event.data.reason },
      }
    case 'FrontendsReleased':
      return { ...owner, phase: 'over' }
    default:
      return owner
  }
}

const evolve = (before: ResourceTold, event: RecordedEvent): ResourceTold => {
  const told = { ...before, version: event.streamversion }
  switch (event.type) {
    case 'ResourceIntended': {
      const { epoch, driver, desired } = event.data
      if (epoch < (before.intent?.epoch ?? 0)) return told
      return { ...told, intent: { ...atOf(event), epoch, driver, marks: desired.marks } }
    }
    case 'ResourceDeleteIntended': {
      const { epoch, reason } = event.data
      return { ...told, deleted: { ...atOf(event), epoch, reason } }
    }
    case 'ResourceAbsent':
      return { ...told, absent: { ...atOf(event), epoch: event.data.epoch } }
    case 'OrphanCondemned': {
      const { ref, epoch } = event.data
      return { ...told, condemned: new Map([...told.condemned, [ref, { ...atOf(event), epoch }]]) }
    }
    case 'OrphanSpared':
    case 'OrphanRemoved':
      return { ...told, condemned: without(told.condemned, event.data.ref) }
    default:
      return told
  }
}

const without = <V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> =>
  new Map([...map].filter(([each]) => each !== key))

/** The marks that a thing of this story and epoch carries; undefined when nothing was ever intended. */
export const marksOf = (
  told: ResourceTold,
  at: { readonly key: ResourceKey; readonly epoch: number },
): OwnershipMarks | undefined => told.intent && { ...told.intent.marks, ...at }

/**
 * Whether the life that made the newest incarnation is on its way out, or has moved on, and nobody has
 * said yet that the resource is absent: one life ends with one absence.
 */
export const owesAbsence = ({ owner, intent, deleted, absent }: ResourceTold): boolean => {
  if (intent === undefined || intent.sequence < owner.bornAt) return false
  const moved = owner.phase === 'held' && (deleted?.sequence ?? 0) > intent.sequence
  if (owner.phase !== 'leaving' && !moved) return false
  const since = moved ? intent.sequence : Math.max(intent.sequence, owner.release?.sequence ?? 0)
  return absent === undefined || absent.sequence < since
}
