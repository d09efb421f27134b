/** What a caller may do about a failure of the world. */
export interface Retry {
  /** Milliseconds to wait before the next attempt. */
  readonly afterMs: number
}

/**
 * The world failed: a server is away, a disk is full, a call timed out. The message says what was
 * attempted on which thing; `cause` keeps its own words; `retry` says when trying again makes sense.
 */
export class OperatingError extends Error {
  readonly retry: Retry | undefined
  constructor(message: string, options: { readonly cause?: unknown; readonly retry?: Retry } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'OperatingError'
    this.retry = options.retry
  }
}

/** We are wrong: an invariant is broken. Never caught; the process ends and says bug=true. */
export class Bug extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Bug'
  }
}

/** Ends the process when what must be true is not. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Bug(message)
}

/** Closes an exhaustive switch: reached only when a case is missing. */
export const assertNever = (value: never): never => {
  throw new Bug(`unreachable case: ${JSON.stringify(value)}`)
}

/** The chain of messages from the outermost attempt to the root cause, joined with `: `. */
export const explainError = (error: unknown): string => {
  const parts: string[] = []
  for (let at = error; at !== undefined && at !== null && parts.length < 8;) {
    parts.push(at instanceof Error ? at.message || at.name : JSON.stringify(at))
    at = at instanceof Error ? at.cause : undefined
  }
  return parts.join(': ')
}
