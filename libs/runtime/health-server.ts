import { createServer, type ServerResponse } from 'node:http'
import { explainError, OperatingError } from '@weir/kernel'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'

export interface HealthServer {
  readonly port: number
  close(): Promise<void>
}

export interface HealthServerOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly health: Health
  readonly metrics: Metrics
}

/**
 * - `GET /livez`: 200 while the process can answer at all.
 * - `GET /readyz`: 200 `{"ready":true}`, or 503 `{"ready":false,"failing":{"bus":"..."}}`.
 * - `GET /metrics`: what Prometheus reads.
 *
 * Plain node:http: three routes without input need no framework, and one costs 110 ms of start.
 *
 * @throws OperatingError when the port cannot be had.
 */
export const serveHealth = async (options: HealthServerOptions): Promise<HealthServer> => {
  const { host, port } = options
  const server = createServer((request, response) => {
    answer(options, request.url ?? '/', response).catch((error: unknown) => {
      send(response, 500, 'text/plain', explainError(error))
    })
  })
  const opened = Promise.withResolvers<void>()
  server.once('error', (cause) =>
    opened.reject(new OperatingError(`cannot serve health on ${host}:${port}`, { cause })),
  )
  server.listen(port, host, () => opened.resolve())
  await opened.promise
  const address = server.address()
  return {
    port: address !== null && typeof address === 'object' ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const answer = async (
  { health, metrics }: HealthServerOptions,
  url: string,
  response: ServerResponse,
): Promise<void> => {
  switch (url.split('?')[0]) {
    case '/livez':
      return send(response, 200, 'text/plain', 'ok\n')
    case '/readyz': {
      const failing = await health.failing()
      const ready = Object.keys(failing).length === 0
      const body = JSON.stringify(ready ? { ready } : { ready, failing })
      return send(response, ready ? 200 : 503, 'application/json', `${body}\n`)
    }
    case '/metrics': {
      const { contentType, text } = await metrics.exposition()
      return send(response, 200, contentType, text)
    }
    default:
      return send(response, 404, 'text/plain', 'try /livez, /readyz or /metrics\n')
  }
}

const send = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, { 'content-type': type }).end(body)
}
