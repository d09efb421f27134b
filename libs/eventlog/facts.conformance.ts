import {
  event,
  streamOf,
  tenantId,
  type NodesObservation,
  type RecordedEvent,
  type StreamId,
  type TenantId,
} from '@weir/contract'
import { silentLogger, systemClock, systemIds, type Logger } from '@weir/kernel'
import { expect } from 'vitest'
import type { AppendOutcome, AppendRequest, NewEvent, Store } from './eventlog.ts'

/** A store under test. All processes see the same data, in Postgres or in memory. */
export interface Subject {
  /** Another process on the same data. */
  readonly open: () => Promise<Store>
}

export const ports = { clock: systemClock, ids: systemIds }

/** A name nobody has used, so that tests can share one database. */
export const fresh = (prefix: string): string => `${prefix}-${systemIds.uuid().slice(-12)}`
export const freshTenant = (): TenantId => tenantId.parse(fresh('t'))
export const freshStream = (): StreamId => streamOf('status', fresh('s'))

/** A fact of no importance. */
export const fact = (stream: StreamId, expectedVersion: number, text = '1'): NewEvent => ({
  stream,
  expectedVersion,
  event: event('FinalizerAdded', { resourceVersion: text }),
})

export const request = (
  tenant: TenantId,
  commandId: string,
  rest: Partial<AppendRequest> = {},
): AppendRequest => ({
  tenant,
  commandId,
  events: [],
  actor: 'allocator',
  correlationId: 'story',
  causationId: 'cause',
  ...rest,
})

/** Appends what must succeed. */
export const recorded = async (
  store: Store,
  asked: AppendRequest,
): Promise<readonly RecordedEvent[]> => {
  const outcome = await store.log.append(asked)
  return recordedOf(outcome)
}

export const recordedOf = (outcome: AppendOutcome): readonly RecordedEvent[] => {
  expect(outcome.status).toBe('appended')
  return outcome.status === 'appended' ? outcome.events : []
}

/** Gives a tenant `count` events, each on a stream of its own, in stories s1, s2, ... */
export const history = async (store: Store, tenant: TenantId, count: number) =>
  (
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        recorded(
          store,
          request(tenant, fresh('c'), {
            correlationId: `s${index + 1}`,
            events: [fact(freshStream(), 0)],
          }),
        ),
      ),
    )
  )
    .flat()
    .sort((a, b) => a.sequence - b.sequence)

export const sequences = (events: readonly RecordedEvent[]): readonly number[] =>
  events.map(({ sequence }) => sequence)

export const upTo = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => index + 1)

export const nodesSeen = (
  tenant: TenantId,
  cluster: string,
  rest: Partial<NodesObservation> = {},
): NodesObservation => ({
  kind: 'nodes',
  tenant,
  cluster: cluster as NodesObservation['cluster'],
  watcherEpoch: 1,
  order: 1,
  seenAt: '2026-08-01T12:00:00.000Z',
  nodes: [],
  ...rest,
})

/** A logger that keeps what was said. */
export const listeningLogger = (): { readonly logger: Logger; readonly said: string[] } => {
  const said: string[] = []
  const keep = (_fields: unknown, message: string): void => void said.push(message)
  const logger: Logger = {
    ...silentLogger,
    info: keep,
    warn: keep,
    error: keep,
    child: () => logger,
  }
  return { logger, said }
}
