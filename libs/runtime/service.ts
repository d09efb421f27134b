import type { Clock, Ids, Logger } from '@weir/kernel'
import type { z } from 'zod'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'
import type { Trace } from './trace.ts'

/** What a service is given to run with. */
export interface ServiceContext<Config> {
  readonly config: Config
  /** JSON lines on stdout; carries `service`, and `trace` while a span is open. */
  readonly log: Logger
  readonly clock: Clock
  readonly ids: Ids
  /** Aborts when the process shall end: SIGTERM, SIGINT or the parent's closed pipe. */
  readonly signal: AbortSignal
  readonly health: Health
  readonly metrics: Metrics
  readonly trace: Trace
}

/** A service that runs. `stop` has a bounded time; after it the process ends anyway. */
export interface RunningService {
  stop(): Promise<void>
}

/** What a main.ts says about its service. */
export interface ServiceDefinition<Schema extends z.ZodObject> {
  /** The service's name in logs, metrics and traces. */
  readonly service: string
  readonly version: string
  /** Environment variables by name, made of `settings` and the service's own fields. */
  readonly config: Schema
  start(context: ServiceContext<z.infer<Schema>>): Promise<RunningService>
}
