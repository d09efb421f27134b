import type { IncomingMessage } from '@weir/bus'
import { serviceObservation, type ServiceObservation } from '@weir/contract'
import { explainError, type Logger } from '@weir/kernel'

/** The Service a message tells of; nothing, said aloud, when it can't be read. */
export const readService = (message: IncomingMessage, log: Logger): ServiceObservation[] => {
  try {
    return [serviceObservation.parse(JSON.parse(message.body))]
  } catch (error) {
    const { subject } = message
    log.error({ subject, problem: explainError(error) }, 'an observation was parked')
    return []
  }
}
