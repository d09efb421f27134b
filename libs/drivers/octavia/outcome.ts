import type { Outcome } from '../driver.ts'
import { faultOf, retryAfterMs, wordsOf, type Answer, type Unanswered } from './http.ts'

const lockedMs = 2000
const awayMs = 2000
/** What an operator has to change, such as a quota or a role, is asked about again after this long. */
const operatorMs = 60_000

/**
 * What a failed change means; undefined for a success. Whatever may have had its effect is `unknown`; only
 * what Octavia will never do for this Service is `refused`.
 */
export const failureOf = (title: string, answer: Answer): Outcome | undefined => {
  const { status } = answer
  const problem = `cannot ${title}: ${faultOf(answer)}`
  if (status >= 200 && status < 300) return undefined
  switch (status) {
    case 404: // Gone since it was read; deleting is told apart by the caller.
      return { status: 'unknown' }
    case 409:
      return isHeld(answer) ? { status: 'locked', retryMs: lockedMs } : { status: 'unknown' }
    case 429:
    case 503: // Octavia: the project is busy. Both come before any effect.
      return { status: 'retry', afterMs: retryAfterMs(answer) ?? awayMs, problem }
    case 401:
    case 403: // A quota says 403 too.
    case 408:
      return { status: 'retry', afterMs: operatorMs, problem }
    default:
      // A 5xx may come from a proxy that lost the answer, after the effect.
      return status < 500 || status === 501
        ? { status: 'refused', capability: 'provider', problem }
        : { status: 'unknown' }
  }
}

/**
 * 409 says three things. The load balancer is PENDING (`Invalid state`, `is immutable`) or something is
 * in use: held. Or what was to be made is there already: look again.
 */
const isHeld = (answer: Answer): boolean =>
  /immutable|invalid state|in use|pending/i.test(faultOf(answer))

/** What a call means that got no answer. */
export const unansweredOutcome = (title: string, error: Unanswered): Outcome =>
  error.sent
    ? { status: 'unknown' }
    : { status: 'retry', afterMs: awayMs, problem: `cannot ${title}: ${wordsOf(error)}` }
