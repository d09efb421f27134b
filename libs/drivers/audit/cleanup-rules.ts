import type { RecordedEvent } from '@weir/contract'

/** The story of the platform's log that says what gc may do, and its streams' prefix. */
export const cleanupStory = 'cleanup'
/** The scope of what concerns every tenant. */
export const everyScope = 'all'

/** What people, or gc's own breaker, decided about cleanup. */
export interface CleanupRules {
  /** `observe` until somebody approves: a new installation only reports. */
  readonly mode: 'observe' | 'apply'
  /** Why it only observes, for people; null while it applies. */
  readonly why: string | null
  /** When it was last approved, milliseconds since the epoch by the log's clock; 0 if never. */
  readonly approvedAt: number
  /** Tenants of which nothing is deleted, and why. */
  readonly paused: ReadonlyMap<string, string>
  /** Ids of OrphanCondemned events that an operator ordered to be carried out, whatever the mode. */
  readonly ordered: ReadonlySet<string>
  /** Version of each cleanup stream, for an append. */
  readonly versions: Readonly<Record<string, number>>
}

const unapproved: CleanupRules = {
  mode: 'observe',
  why: 'nobody has approved cleanup yet; weir gc approve switches it on',
  approvedAt: 0,
  paused: new Map(),
  ordered: new Set(),
  versions: {},
}

/** Folds the platform's story `cleanup`, given in sequence order. */
export const foldCleanup = (story: readonly RecordedEvent[]): CleanupRules =>
  story.reduce(evolve, unapproved)

const evolve = (before: CleanupRules, event: RecordedEvent): CleanupRules => {
  const rules = {
    ...before,
    versions: { ...before.versions, [event.subject]: event.streamversion },
  }
  switch (event.type) {
    case 'CleanupApproved':
      return { ...rules, mode: 'apply', why: null, approvedAt: Date.parse(event.recordedtime) }
    case 'CleanupSuspended':
      return { ...rules, mode: 'observe', why: event.data.why }
    case 'CleanupPaused':
      return { ...rules, paused: new Map([...rules.paused, [event.data.tenant, event.data.why]]) }
    case 'CleanupResumed': {
      const { tenant } = event.data
      return { ...rules, paused: new Map([...rules.paused].filter(([each]) => each !== tenant)) }
    }
    case 'CleanupOrdered':
      return { ...rules, ordered: new Set([...rules.ordered, ...event.data.condemned]) }
    default:
      return rules
  }
}
