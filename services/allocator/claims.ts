import { frontendText } from '@weir/contract'
import type { ClaimChange } from '@weir/eventlog'
import type { Claiming } from './domain/decision.ts'

/** A decision about a row, in the words of the log. */
export const claimChange = (service: string, claim: Claiming): ClaimChange => {
  const { holder = service } = claim
  const at =
    typeof claim.at === 'string'
      ? ({ scope: 'address', key: claim.at } as const)
      : ({ scope: 'frontend', key: frontendText(claim.at) } as const)
  return claim.change === 'take'
    ? { change: 'take', ...at, holder }
    : { change: 'release', ...at, holder, restMs: claim.restMs }
}
