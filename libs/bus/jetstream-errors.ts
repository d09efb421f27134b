import { JetStreamApiCodes, JetStreamApiError, JetStreamError } from '@nats-io/jetstream'
import { errors } from '@nats-io/transport-node'
import { OperatingError } from '@weir/kernel'

export const isStreamNotFound = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound

export const isConsumerNotFound = (error: unknown): boolean =>
  error instanceof JetStreamApiError && error.code === JetStreamApiCodes.ConsumerNotFound

/**
 * What the world may heal within moments: no answer in time, nobody listening (JetStream is starting,
 * or the stream is gone), a server that says it is busy or has no leader.
 */
export const isTransient = (error: unknown): boolean => {
  if (error instanceof OperatingError) return error.retry !== undefined
  if (error instanceof errors.TimeoutError || error instanceof errors.RequestError) return true
  if (error instanceof JetStreamApiError) {
    return isStreamNotFound(error) || isBusy(error.status)
  }
  if (error instanceof JetStreamError) return 'code' in error && isBusy(Number(error.code))
  // The library wraps "no responders" in an error class that it does not export.
  return error instanceof Error && error.cause instanceof errors.RequestError
}

const isBusy = (status: number): boolean => status === 429 || status >= 500
