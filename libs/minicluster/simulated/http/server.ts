import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { ApiError, internalError } from '../api-error.ts'
import type { Certificates } from '../auth/certificates.ts'
import { explainError } from '@weir/kernel'
import { sendError } from './exchange.ts'
import type { FaultPlan, Misfortune } from './faulty.ts'

export type Answer = (
  request: IncomingMessage,
  response: ServerResponse,
  misfortune: Misfortune,
) => Promise<void>

/** The HTTPS server; a client may show a certificate of the cluster's CA. */
export const createApiListener = (
  certificates: Certificates,
  faults: FaultPlan,
  answer: Answer,
): Server => {
  const server = createServer(
    {
      cert: certificates.serverCert,
      key: certificates.serverKey,
      ca: certificates.ca,
      requestCert: true,
      // A client without one may still bring a token.
      rejectUnauthorized: false,
      noDelay: true,
      keepAliveTimeout: 120_000,
    },
    (request, response) => {
      void serve(faults, answer, { request, response })
    },
  )
  // Watches last; nothing may cut a request for its age.
  server.requestTimeout = 0
  server.headersTimeout = 60_000
  server.maxRequestsPerSocket = 0
  return server
}

interface Pair {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

const serve = async (faults: FaultPlan, answer: Answer, pair: Pair): Promise<void> => {
  const { request, response } = pair
  try {
    const misfortune = faults.draw(request.method ?? 'GET', request.url ?? '/')
    if (misfortune.delayMs > 0) await pause(misfortune.delayMs)
    if (misfortune.hang) return faults.hang(request.socket)
    if (misfortune.fail !== undefined) return sendError(response, failureOf(misfortune))
    if (misfortune.lose) cutInsteadOfAnswering(response)
    await answer(request, response, misfortune)
  } catch (error) {
    sendError(response, error instanceof ApiError ? error : internalError(explainError(error)))
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The write is done when the answer would be sent; the client sees a connection that ends. */
const cutInsteadOfAnswering = (response: ServerResponse): void => {
  response.writeHead = () => {
    response.destroy()
    return response
  }
}

const reasons: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
}

const failureOf = ({ fail }: Misfortune): ApiError => {
  const status = fail?.status ?? 500
  const seconds = fail?.retryAfterSeconds
  return new ApiError(`injected fault ${status}`, {
    code: status,
    reason: reasons[status] ?? 'Unknown',
    details: seconds === undefined ? {} : { retryAfterSeconds: seconds },
  })
}
