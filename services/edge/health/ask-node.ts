import { explainError } from '@weir/kernel'
import { get } from 'node:http'
import { readAnswer, type ProbeAnswer } from '../domain/health.ts'

/** One thing to ask of one node. */
export interface Probe {
  readonly ip: string
  readonly port: number
  readonly path: string
  /** Whether the answer tells how many ready pods the node has. */
  readonly weightFromHeader: boolean
}

/** kube-proxy's answers have some hundred bytes; more is not one of them. */
const bodyMax = 4_096

/**
 * Asks once, on a connection of its own: a kept one would not notice that nobody listens any more. Never
 * rejects; no answer within `timeoutMs` is an answer too.
 */
export const askNode = (probe: Probe, timeoutMs: number): Promise<ProbeAnswer> => {
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>()
  const request = get({
    host: probe.ip,
    port: probe.port,
    path: probe.path,
    agent: false,
    headers: { 'user-agent': 'weir-edge' },
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    request.destroy(new Error(`no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  const finish = (answer: ProbeAnswer): void => {
    clearTimeout(timer)
    resolve(answer)
  }
  const fail = (error: unknown): void =>
    finish({ kind: 'silent', problem: explainError(error).slice(0, 300), timedOut })
  request.on('error', fail)
  request.on('response', (response) => {
    let body = ''
    response.setEncoding('utf8')
    response.on('data', (text: string) => {
      if (body.length < bodyMax) body += text
    })
    response.on('error', fail)
    response.on('end', () => {
      const header = response.headers['x-load-balancing-endpoint-weight']
      const weightHeader = Array.isArray(header) ? header[0] : header
      const status = response.statusCode ?? 0
      finish(readAnswer({ status, weightHeader, body }, probe.weightFromHeader))
    })
  })
  return promise
}
