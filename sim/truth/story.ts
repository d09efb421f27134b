// What the log says of each load balancer: the facts that the promises are about, and nothing else.
import {
  frontendText,
  type Frontend,
  type Ingress,
  type Lease,
  type RecordedEvent,
} from '@weir/contract'

export interface LogStory {
  readonly uid: string
  readonly tenant: string
  /** Lives that began, and that were asked to end. */
  lives: number
  releases: number
  /** Held now. */
  leases: readonly Lease[]
  frontends: readonly Frontend[]
  /** By resource key. */
  readonly resources: Map<string, LogResource>
  /** Moves to another driver. */
  moves: number
  held: boolean
}

export interface LogResource {
  readonly key: string
  /** `EPOCH/GENERATION` of every order that was intended. */
  readonly intended: Set<string>
  intendedEpoch: number
  /** Sequence of the newest condemnation of a part, by the provider's name for it, and of its delete. */
  readonly condemned: Map<string, number>
  readonly toDelete: Map<number, number>
  /** Epochs whose delete was intended, and whose absence was recorded. */
  readonly deleteIntended: Set<number>
  readonly absent: Set<number>
  programmed: { readonly epoch: number; readonly ingress: readonly Ingress[] } | undefined
  /** What was confirmed before, and when something else took its place, in milliseconds. */
  readonly outdated: { readonly ingress: readonly Ingress[]; readonly at: number }[]
}

export interface LogStories {
  take(event: RecordedEvent): void
  get(uid: string): LogStory | undefined
  all(): Iterable<LogStory>
}

export const createLogStories = (): LogStories => {
  const stories = new Map<string, LogStory>()
  const storyOf = (uid: string, tenant: string): LogStory => {
    const known = stories.get(uid)
    if (known !== undefined) return known
    const counts = { lives: 0, releases: 0, moves: 0, held: false }
    const holding = { leases: [], frontends: [] }
    const fresh: LogStory = { uid, tenant, ...counts, ...holding, resources: new Map() }
    stories.set(uid, fresh)
    return fresh
  }
  return {
    get: (uid) => stories.get(uid),
    all: () => stories.values(),
    take: (event) => {
      const isOurs = /^(lb|resource|status)-/.test(event.subject)
      if (isOurs) takeInto(storyOf(event.correlationid, event.tenantid), event)
    },
  }
}

const takeInto = (story: LogStory, event: RecordedEvent): void => {
  switch (event.type) {
    case 'LoadBalancerRequested':
      story.lives += 1
      return
    case 'ReleaseRequested':
      story.releases += 1
      return
    case 'DriverChanged':
      story.moves += 1
      return
    case 'FrontendsAllocated':
      story.leases = [...event.data.leases, ...(event.data.leaving ?? [])]
      story.frontends = [...event.data.frontends, ...(event.data.closing ?? [])]
      return
    case 'FrontendsVacated': {
      const gone = new Set(event.data.leases.map(({ ip }) => ip))
      story.leases = story.leases.filter(({ ip }) => !gone.has(ip))
      const closed = new Set((event.data.frontends ?? []).map(frontendText))
      story.frontends = story.frontends.filter((each) => !closed.has(frontendText(each)))
      return
    }
    case 'FrontendsReleased':
      story.leases = []
      story.frontends = []
      return
    case 'FinalizerAdded':
      story.held = true
      return
    case 'FinalizerRemoved':
      story.held = false
      return
    default:
      takeResource(story, event)
  }
}

const takeResource = (story: LogStory, event: RecordedEvent): void => {
  if (!event.subject.startsWith('resource-')) return
  const resource = resourceOf(story, event.subject.slice('resource-'.length))
  switch (event.type) {
    case 'ResourceIntended':
    case 'TargetsChanged': {
      const { epoch, generation } = event.data
      resource.intended.add(`${epoch}/${generation}`)
      resource.intendedEpoch = Math.max(resource.intendedEpoch, epoch)
      return
    }
    case 'ResourceProgrammed':
      if (resource.programmed !== undefined) {
        const { ingress } = resource.programmed
        resource.outdated.push({ ingress, at: Date.parse(event.recordedtime) })
      }
      resource.programmed = event.data
      return
    case 'ResourceDeleteIntended':
      resource.deleteIntended.add(event.data.epoch)
      resource.toDelete.set(event.data.epoch, event.sequence)
      return
    case 'OrphanCondemned':
      resource.condemned.set(event.data.ref, event.sequence)
      return
    case 'OrphanSpared':
      resource.condemned.delete(event.data.ref)
      return
    case 'ResourceAbsent':
      resource.absent.add(event.data.epoch)
      return
    default:
  }
}

const resourceOf = (story: LogStory, key: string): LogResource => {
  const known = story.resources.get(key)
  if (known !== undefined) return known
  const fresh: LogResource = {
    key,
    intended: new Set(),
    intendedEpoch: 0,
    condemned: new Map(),
    toDelete: new Map(),
    deleteIntended: new Set(),
    absent: new Set(),
    programmed: undefined,
    outdated: [],
  }
  story.resources.set(key, fresh)
  return fresh
}
