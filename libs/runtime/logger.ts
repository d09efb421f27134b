import type { Logger } from '@weir/kernel'
import { pino, type DestinationStream } from 'pino'
import { redact, redactText } from './redact.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

export interface LoggerOptions {
  readonly service: string
  readonly version: string
  readonly level: LogLevel
  /** The trace that is open where a line is written. */
  readonly traceId?: () => string | undefined
  /** Where the lines go; stdout, written at once so that none is lost at the end. */
  readonly destination?: DestinationStream
}

/**
 * JSON lines: `level`, `time` (milliseconds since the epoch), `service`, `version`, `trace` where one is open, the
 * fields and `msg`. Whoever works for a tenant, a cluster or a service logs through a child that carries
 * `tenant`, `cluster` and `service_uid`.
 */
export const createLogger = (options: LoggerOptions): Logger => {
  const {
    service,
    version,
    level,
    destination = pino.destination({ dest: 1, sync: true }),
  } = options
  const writer = pino(
    { level, base: { service, version }, formatters: { level: (label) => ({ level: label }) } },
    destination,
  )
  const traced = (): object => {
    const trace = options.traceId?.()
    return trace === undefined ? {} : { trace }
  }
  const over = (bound: Readonly<Record<string, unknown>>): Logger => {
    const write = (at: LogLevel, fields: object, message: string): void => {
      if (!writer.isLevelEnabled(at)) return
      writer[at](redact({ ...bound, ...traced(), ...fields }), redactText(message))
    }
    return {
      debug: (fields, message) => write('debug', fields, message),
      info: (fields, message) => write('info', fields, message),
      warn: (fields, message) => write('warn', fields, message),
      error: (fields, message) => write('error', fields, message),
      child: (fields) => over({ ...bound, ...fields }),
    }
  }
  return over({})
}
