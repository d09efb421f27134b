import { explainError, OperatingError, systemClock, systemIds, type Logger } from '@weir/kernel'
import type { z } from 'zod'
import { createTrace } from './create-trace.ts'
import { parseSettings, readEnvironment, SettingsError } from './env.ts'
import { serveHealth } from './health-server.ts'
import { createHealth } from './health.ts'
import { createLogger } from './logger.ts'
import { createMetrics } from './metrics.ts'
import type { RunningService, ServiceContext, ServiceDefinition } from './service.ts'
import { runtimeSettings } from './settings.ts'
import { stopSignal } from './stop-signal.ts'
import type { Trace } from './trace.ts'
import { parseTraceparent } from './traceparent.ts'

/** sysexits.h: 70 is an internal software error. */
const EXIT = { ended: 0, failed: 1, settings: 2, bug: 70 } as const

/** A service gets this long to stop; a supervisor that waits 15 s need not kill it. */
const STOP_DEADLINE_MS = 10_000

/**
 * Runs a service until it is told to stop, and ends the process: 0 when it stopped in order, 1 when the
 * world failed it, 2 when its settings are wrong, 70 when we are wrong.
 *
 * Once it serves it logs `{"msg":"ready","healthPort":N}`.
 */
export const run = async <Schema extends z.ZodObject>(
  definition: ServiceDefinition<Schema>,
): Promise<never> => {
  const settings = readSettings(definition)
  const { service, version } = definition
  const { LOG_LEVEL, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint } = settings.runtime
  const trace = await createTrace({ service, version, ids: systemIds, endpoint })
  const log = createLogger({ service, version, level: LOG_LEVEL, traceId: () => openTrace(trace) })
  endOnBug(log)
  try {
    return process.exit(await live(definition, settings, { trace, log }))
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    log.error({ error }, `${service} cannot go on`)
    return process.exit(EXIT.failed)
  }
}

interface Settings<Schema extends z.ZodObject> {
  readonly runtime: z.infer<typeof runtimeSettings>
  readonly config: z.infer<Schema>
}

const readSettings = <Schema extends z.ZodObject>(
  definition: ServiceDefinition<Schema>,
): Settings<Schema> => {
  const { service, version } = definition
  try {
    const environment = readEnvironment()
    return {
      runtime: parseSettings(runtimeSettings, environment),
      config: parseSettings(definition.config, environment),
    }
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    const log = createLogger({ service, version, level: 'error' })
    log.error({ settings: true }, error.message)
    return process.exit(EXIT.settings)
  }
}

const openTrace = (trace: Trace): string | undefined => parseTraceparent(trace.current())?.traceId

/** What nobody caught is a bug, whatever its class. */
const endOnBug = (log: Logger): void => {
  const end = (error: unknown): never => {
    const stack = error instanceof Error ? error.stack : undefined
    log.error({ bug: true, error, stack }, explainError(error))
    return process.exit(EXIT.bug)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}

const live = async <Schema extends z.ZodObject>(
  definition: ServiceDefinition<Schema>,
  { runtime, config }: Settings<Schema>,
  { trace, log }: { readonly trace: Trace; readonly log: Logger },
): Promise<number> => {
  const signal = stopSignal(runtime.WEIR_STOP_ON_STDIN_CLOSE === '1')
  const health = createHealth()
  const metrics = createMetrics(definition.service)
  let phase: string | undefined = 'starting'
  health.add('service', () => phase)
  const { HEALTH_HOST: host, HEALTH_PORT: port } = runtime
  const server = await serveHealth({ host, port, health, metrics })
  const ports = { config, log, clock: systemClock, ids: systemIds, signal, health, metrics, trace }
  const running = await startUnlessStopped(definition, ports)
  phase = undefined
  if (running !== undefined) log.info({ healthPort: server.port }, 'ready')
  await aborted(signal)
  phase = 'stopping'
  log.info({ cause: String(signal.reason) }, 'stopping')
  const inTime = running === undefined || (await stopInTime(running))
  if (!inTime) log.error({ deadlineMs: STOP_DEADLINE_MS }, 'did not stop in time')
  await trace.stop()
  await server.close()
  log.info({}, 'stopped')
  return inTime ? EXIT.ended : EXIT.failed
}

/** A start that was told to stop may reject; then there is nothing to stop. */
const startUnlessStopped = async <Schema extends z.ZodObject>(
  definition: ServiceDefinition<Schema>,
  context: ServiceContext<z.infer<Schema>>,
): Promise<RunningService | undefined> => {
  const { signal, clock, log } = context
  const starting = definition.start(context)
  const late = aborted(signal).then(() => clock.sleep(STOP_DEADLINE_MS))
  try {
    return (await Promise.race([starting, late])) ?? undefined
  } catch (error) {
    if (!signal.aborted || !(error instanceof OperatingError)) throw error
    log.info({ error }, 'stopped while starting')
    return undefined
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

const stopInTime = async (running: RunningService): Promise<boolean> =>
  Promise.race([
    running.stop().then(() => true),
    systemClock.sleep(STOP_DEADLINE_MS).then(() => false),
  ])
