// What to make of one thing of an inventory, given the whole story of the Service that its marks name.
// Pure: gc acts on it, and the report that people ask for is the same judgement without the act.
//
// No timing is guessed. Every intent is in the log before its effect. Whatever was listed before the
// story was read has its intent in it; so what carries our marks and has none was made by somebody else.
//
//   story \ thing's epoch    newest intended               earlier                      later
//   life holds it            live                          superseded                   no-intent
//   moved, not yet deleted   live                          superseded                   no-intent
//   moved away, released     orphan                        orphan                       no-intent
import type { RecordedEvent } from '@weir/contract'
import type { InventoryItem } from '../driver.ts'
import { tellResource, type ResourceTold } from './resource-told.ts'

export type Verdict =
  /** It must exist. */
  | 'live'
  /** An earlier incarnation of what must exist: nobody needs it any more. */
  | 'superseded'
  /** Its reason to exist is gone. */
  | 'orphan'
  /** Our marks, but the log knows no intent: reported, never deleted. */
  | 'no-intent'
  /** Another installation's marks: never touched. */
  | 'foreign'
  /** No marks that we can read: never touched. */
  | 'unmarked'

/** A verdict and what proves it. */
export interface Judgement {
  readonly verdict: Verdict
  /** For people and for the log: which event, and what it said. */
  readonly evidence: string
  /** When the reason to exist went, milliseconds since the epoch by the log's clock; null if not known. */
  readonly goneAt: number | null
}

/** A verdict that needs no story; undefined when the story of the Service must be asked. */
export const judgeByMarks = (item: InventoryItem, installation: string): Judgement | undefined => {
  if (item.marks === null) return verdict('unmarked', 'it carries no marks that we can read')
  if (item.marks.installation === installation) return undefined
  return verdict('foreign', `it carries the marks of installation ${item.marks.installation}`)
}

/** Judges one thing with our marks by its Service's story, given in sequence order. */
export const judge = (
  thing: { readonly key: string; readonly epoch: number },
  story: readonly RecordedEvent[],
): Judgement => judgeTold(thing, tellResource(story, thing.key))

/** As `judge`, of a story that is folded already. */
export const judgeTold = (thing: { readonly epoch: number }, told: ResourceTold): Judgement => {
  const { intent, deleted, owner } = told
  if (intent === undefined || thing.epoch > intent.epoch) {
    return verdict('no-intent', 'it carries our marks, but no intent in the log is for it')
  }
  const ofThisLife = owner.phase === 'held' && intent.sequence > owner.bornAt
  const moved = deleted !== undefined && deleted.sequence > intent.sequence
  if (ofThisLife && (intent.driver === owner.driver || !moved)) {
    return thing.epoch === intent.epoch
      ? verdict('live', `ResourceIntended ${intent.id}: epoch ${intent.epoch} is wanted`)
      : superseded(intent)
  }
  if (ofThisLife && moved) {
    return gone(deleted, `ResourceDeleteIntended ${deleted.id}: ${deleted.reason}`)
  }
  const { release } = owner
  if (release === undefined) return gone(intent, `the life of epoch ${thing.epoch} is over`)
  return gone(release, `ReleaseRequested ${release.id}: ${release.reason}`)
}

const verdict = (verdict: Verdict, evidence: string): Judgement => ({
  verdict,
  evidence,
  goneAt: null,
})

const gone = (since: { readonly at: number }, evidence: string): Judgement => ({
  verdict: 'orphan',
  evidence,
  goneAt: since.at,
})

const superseded = (intent: NonNullable<ResourceTold['intent']>): Judgement => ({
  verdict: 'superseded',
  evidence: `ResourceIntended ${intent.id}: epoch ${intent.epoch} took its place`,
  goneAt: intent.at,
})
