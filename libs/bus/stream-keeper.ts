import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import { explainError, type Clock, type Logger } from '@weir/kernel'
import { isStreamNotFound } from './jetstream-errors.ts'
import type { Connection } from './connection.ts'
import { createRebuiltWatch, type FoundStream } from './rebuilt.ts'
import { mustUpdate, wantedStreams } from './stream-config.ts'

/** Keeps the streams in being and notices when they are new. */
export interface StreamKeeper {
  /** Makes what is missing and resolves with the names it made. Calls at the same time share one run. */
  ensure(): Promise<readonly string[]>
  onRebuilt(handle: (streams: readonly string[]) => void, signal: AbortSignal): void
}

/** Every connected process listens here and looks at the streams again. */
const REBUILT_SUBJECT = 'weir.bus.rebuilt'
/** Backstop for a hint that was lost. */
const LOOK_AGAIN_MS = 30_000

export interface StreamKeeperDeps {
  readonly connection: Connection
  readonly manager: JetStreamManager
  readonly clock: Clock
  readonly logger: Logger
  readonly replicas: number
  /** Ends the watching. */
  readonly signal: AbortSignal
}

/**
 * A stream's `created` time names its incarnation. A process that sees one change knows that the bus lost
 * everything, whoever made the stream again; so each process tells its own once per loss, and a
 * hint that comes twice or never does no harm.
 */
export const createStreamKeeper = (deps: StreamKeeperDeps): StreamKeeper => {
  const { connection, clock, logger, signal } = deps
  const watch = createRebuiltWatch()
  let running: Promise<readonly string[]> | undefined

  const look = async (): Promise<readonly string[]> => {
    const found = await findOrMake(deps)
    const made = found.filter((stream) => stream.made).map((stream) => stream.name)
    const renewed = watch.note(found)
    if (renewed.length > 0) logger.warn({ streams: renewed }, 'the bus has new, empty streams')
    if (made.length > 0) connection.nats.publish(REBUILT_SUBJECT)
    return made
  }
  const ensure = (): Promise<readonly string[]> =>
    (running ??= look().finally(() => (running = undefined)))
  const lookAgain = (): void => {
    ensure().catch((error: unknown) =>
      logger.warn({ error: explainError(error) }, 'cannot look at the streams'),
    )
  }

  connection.onReconnect(lookAgain, signal)
  const hints = connection.nats.subscribe(REBUILT_SUBJECT, { callback: lookAgain })
  signal.addEventListener('abort', () => hints.unsubscribe(), { once: true })
  const patrol = async (): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(LOOK_AGAIN_MS, signal)
      if (!signal.aborted && connection.connected()) lookAgain()
    }
  }
  patrol().catch((error: unknown) => logger.error({ error: explainError(error) }, 'bus patrol'))

  return {
    ensure,
    onRebuilt: (handle, until) => watch.onRebuilt(handle, until),
  }
}

const findOrMake = async ({ manager, replicas }: StreamKeeperDeps): Promise<FoundStream[]> => {
  const found: FoundStream[] = []
  for (const wanted of wantedStreams(replicas)) {
    const existing = await infoOf(manager, wanted.name)
    if (existing !== undefined && mustUpdate(existing.config, wanted)) {
      await manager.streams.update(wanted.name, wanted)
    }
    const info = existing ?? (await manager.streams.add(wanted))
    found.push({ name: wanted.name, incarnation: info.created, made: existing === undefined })
  }
  return found
}

const infoOf = async (manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> => {
  try {
    return await manager.streams.info(name)
  } catch (error) {
    if (isStreamNotFound(error)) return undefined
    throw error
  }
}
