/** One answer, or several, that the API server is told to get wrong. */
export interface RequestMatch {
  /** HTTP method in upper case; any when absent. */
  readonly method?: string
  /** Tested against the path with its query, such as `/api/v1/services?watch=true`. */
  readonly path?: RegExp
  /** How many matching requests are hit before the fault is used up; 1 when absent. */
  readonly count?: number
}

/** An error answer in place of the real one; nothing is read or written. */
export interface FailedAnswer {
  /** HTTP status, such as 429, 500, 503. */
  readonly status: number
  /** `Retry-After` header, in seconds. */
  readonly retryAfterSeconds?: number
}

/** How a list answer lies; the status stays 200 in each case. */
export type ListLie =
  /** The list has its metadata but no `items` field. */
  | 'without-items'
  /** `items` is empty though there are objects. */
  | 'empty'
  /** Only the first half of the objects, with no `continue` token. */
  | 'partial'
  /** The body ends in the middle, with the length that the whole would have had left out. */
  | 'truncated'

/**
 * Makes the simulated API server misbehave. Each call adds one fault; faults are tried in the order
 * they were added, and each is dropped once its count is used up.
 */
export interface Faults {
  /** Answers matching requests with an error Status. */
  failNext(match: RequestMatch, answer: FailedAnswer): void
  /** Takes matching requests and never answers; their sockets end with `clear` or `stop`. */
  hangNext(match: RequestMatch): void
  /** Takes matching requests, does the write, and cuts the connection before the answer. */
  loseAnswerOfNext(match: RequestMatch): void
  /** Every matching request waits `ms` before it is looked at, until `clear`. */
  delay(match: RequestMatch, ms: number): void
  /** Matching list requests get a lie. */
  lieNext(match: RequestMatch, lie: ListLie): void
  /** Matching lists and gets are answered from the state as it was when this was called. */
  serveStale(match: RequestMatch): void
  /** Ends the stream of every open watch (of a path, when given); returns how many there were. */
  dropWatches(path?: RegExp): number
  /** Sends half a line on every open watch (of a path, when given), then ends it. */
  truncateWatches(path?: RegExp): number
  /** Watches stay open and say nothing more, not even bookmarks, until `clear` or they are dropped. */
  muteWatches(path?: RegExp): number
  /** Forgets history: every resourceVersion but the present one is answered 410 `Expired`. */
  expireHistory(): void
  /** Takes every fault back; hanging requests are cut. */
  clear(): void
}
