import type { Outcome } from '../driver.ts'
import type { Action } from './calls.ts'

/** What AWS, the SDK or the network said instead of an answer. */
export interface Failure {
  /** The error code, such as `ResourceInUse`, without the suffix that the SDK puts behind some. */
  readonly code: string
  readonly message: string
  readonly status: number | null
}

export const failureOf = (error: unknown): Failure => {
  if (!(error instanceof Error)) return { code: 'Unknown', message: String(error), status: null }
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined
  const status =
    typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata
      ? metadata.httpStatusCode
      : undefined
  // The network's errors have their name in `code`; AWS's in `name`, or in `Code` of the body.
  const inside: unknown = 'code' in error ? error.code : 'Code' in error ? error.Code : undefined
  const code = typeof inside === 'string' ? inside : error.name
  return {
    code: code.replace(/Exception$/, ''),
    message: error.message.slice(0, 300),
    status: typeof status === 'number' ? status : null,
  }
}

export const isThrottle = ({ code, status }: Failure): boolean =>
  status === 429 ||
  /^(Throttl|RequestLimitExceeded|RequestThrottled|TooManyRequests|SlowDown)/.test(code) ||
  code === 'PriorRequestNotComplete'

/** The thing is still held by another: a listener, a load balancer, network interfaces that go. */
const heldCodes: readonly string[] = [
  'ResourceInUse',
  'DependencyViolation',
  'InvalidIPAddress.InUse',
  'InvalidAddress.Locked',
]

/** Somebody made it between our read and our call, or our read was stale: look again. */
const madeMeanwhile = (code: string): boolean =>
  code.startsWith('Duplicate') || code.endsWith('.Duplicate')

const isMissing = (code: string): boolean => code.endsWith('NotFound')

/** Nothing reached AWS. */
const neverSent: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]

/** By its code, since gateways before AWS's own may change the status. */
const isAway = (code: string): boolean => /^(ServiceUnavailable|Unavailable)$/.test(code)

/** What has to change outside of weir, so that asking later makes sense and asking now does not. */
const isOperators = ({ code, status }: Failure): boolean =>
  status === 401 ||
  status === 403 ||
  /^(AccessDenied|Unauthorized|AuthFailure|ExpiredToken|InvalidClientToken|OptInRequired)/.test(
    code,
  ) ||
  /^(SignatureDoesNotMatch|UnrecognizedClient|OperationNotPermitted)/.test(code) ||
  /^TooMany|LimitExceeded$|AddressLimit|InsufficientCapacity/.test(code)

/** Limits of one load balancer, which no waiting changes: the Service asks too much. */
const ownLimits: Readonly<Record<string, string>> = {
  TooManyListeners: 'maxFrontends',
  TooManyTargets: 'targets',
  TooManyRegistrationsForTargetId: 'targets',
  RulesPerSecurityGroupLimitExceeded: 'sourceRanges',
}

const throttledMs = 2_000
const heldMs = 5_000
const operatorMs = 60_000
const missingMs = 2_000

/**
 * What the failure of a changing call means. Deleting what is absent is done; a call that may have had
 * its effect is `unknown`; only what this very Service asks and AWS will never do is `refused`.
 */
export const outcomeOf = (action: Action, error: unknown): Outcome => {
  const failure = failureOf(error)
  const { code, message, status } = failure
  const problem = `${action}: ${code}: ${message}`
  if (isThrottle(failure)) return { status: 'retry', afterMs: throttledMs, problem }
  if (heldCodes.includes(code)) return { status: 'locked', retryMs: heldMs }
  if (madeMeanwhile(code)) return { status: 'unknown' }
  if (isMissing(code)) {
    if (/^(Delete|Release|Deregister)/.test(action)) return { status: 'done' }
    return { status: 'retry', afterMs: missingMs, problem }
  }
  const ownLimit = ownLimits[code]
  if (ownLimit !== undefined) return { status: 'refused', capability: ownLimit, problem }
  if (isOperators(failure)) return { status: 'retry', afterMs: operatorMs, problem }
  if (neverSent.includes(code)) return { status: 'retry', afterMs: throttledMs, problem }
  if (code === 'InvalidTarget') return { status: 'retry', afterMs: missingMs, problem }
  if (status === 503 || isAway(code)) return { status: 'retry', afterMs: throttledMs, problem }
  if (status !== null && status >= 400 && status < 500) {
    return { status: 'refused', capability: 'provider', problem }
  }
  return { status: 'unknown' }
}

/** Whether the failure says that the thing asked about is not there. */
export const saysMissing = (error: unknown): boolean => isMissing(failureOf(error).code)
