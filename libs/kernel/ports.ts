/**
 * Time as a port. Domain code is given times as data; shells read them here, so that a simulator can
 * turn the clock. Instants are milliseconds since the Unix epoch.
 */
export interface Clock {
  /** The present, in milliseconds since the Unix epoch. */
  now(): number
  /** Resolves after `ms`, or at once with no error when `signal` aborts first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** Randomness as a port: ids and jitter come from here and nowhere else. */
export interface Ids {
  /** A fresh UUID, version 7 where time order helps an index (RFC 9562 §5.7). */
  uuid(): string
  /** A number in [0, 1) for jitter; never for anything secret. */
  random(): number
}

/** One line of structured log. `fields` never hold a credential. */
export interface Logger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  warn(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
  child(fields: Readonly<Record<string, unknown>>): Logger
}

/** A logger that says nothing, for code whose caller has no interest in its log. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
}
