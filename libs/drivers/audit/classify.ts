// What to make of each thing an inventory shows, given the log. Pure: gc acts on it, and the report that
// people ask for is the same judgement without the act.
//
// No timing is guessed. Every intent is in the log before its effect, and the inventory was read before
// the log was, so whatever carries our marks and has no intent was made by somebody else.
import type { InventoryItem } from '../driver.ts'

/** What the log says about the resource stream of one key. */
export interface ResourceFacts {
  /** The newest incarnation ever intended, 0 when there was none. */
  readonly intendedEpoch: number
  /** The incarnation that must exist now; null when none must. */
  readonly liveEpoch: number | null
}

export type Verdict =
  /** It must exist. */
  | 'live'
  /** An earlier incarnation of what must exist; the newer order takes its place. */
  | 'superseded'
  /** Its reason to exist is gone. */
  | 'orphan'
  /** Our marks, but the log knows no intent: reported, never deleted. */
  | 'no-intent'
  /** Another installation's marks: never touched. */
  | 'foreign'
  /** No marks that we can read: never touched. */
  | 'unmarked'

/** Judges one thing of an inventory; `facts` of a key without any story are undefined. */
export const classify = (
  item: InventoryItem,
  installation: string,
  facts: ResourceFacts | undefined,
): Verdict => {
  if (item.marks === null) return 'unmarked'
  if (item.marks.installation !== installation) return 'foreign'
  const { epoch } = item.marks
  if (facts === undefined || epoch > facts.intendedEpoch) return 'no-intent'
  if (facts.liveEpoch === null) return 'orphan'
  return epoch === facts.liveEpoch ? 'live' : 'superseded'
}
