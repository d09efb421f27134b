import { describeBeside } from './beside.conformance.ts'
import { describeClaims } from './claims.conformance.ts'
import type { Subject } from './facts.conformance.ts'
import { describeLog } from './log.conformance.ts'
import { describePrune } from './prune.conformance.ts'
import { describeReconciler } from './reconciler.conformance.ts'
import { describeRelay } from './relay.conformance.ts'
import { describeWork } from './work.conformance.ts'

/** What every store keeps, whatever it is made of. */
export const describeStore = (subject: Subject): void => {
  describeLog(subject)
  describeClaims(subject)
  describeWork(subject)
  describeBeside(subject)
  describePrune(subject)
  describeReconciler(subject)
  describeRelay(subject)
}
