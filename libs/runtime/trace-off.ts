import { AsyncLocalStorage } from 'node:async_hooks'
import type { Ids } from '@weir/kernel'
import type { Trace } from './trace.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

/**
 * Traces that nobody collects. The `traceparent` still goes through, so that one service without a
 * collector does not cut the trace of the others, and logs of one story share its id.
 */
export const createUncollectedTrace = (ids: Ids): Trace => {
  const open = new AsyncLocalStorage<string>()
  const root = (): string =>
    formatTraceparent({ traceId: hex(ids), spanId: hex(ids).slice(16), sampled: false })
  return {
    span: (_name, { parent }, work) => {
      const given = parseTraceparent(parent)
      const traceparent =
        given === undefined ? (open.getStore() ?? root()) : formatTraceparent(given)
      return open.run(traceparent, () => work({ traceparent, set: () => undefined }))
    },
    current: () => open.getStore(),
    stop: () => Promise.resolve(),
  }
}

const hex = (ids: Ids): string => ids.uuid().replaceAll('-', '')
