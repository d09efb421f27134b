import type { IncomingMessage, ServerResponse } from 'node:http'
import { parse as parseYaml } from 'yaml'
import { ApiError, badRequest, unsupportedMediaType } from '../api-error.ts'
import type { User } from '../auth/user.ts'
import type { Json, JsonObject } from '../object.ts'
import { openEnvelope, protobufType, readProtobuf } from '../schema/protobuf.ts'
import type { Stale } from './faulty.ts'

/** One request with what was found out about it, and its answer. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly method: string
  /** Without its query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly user: User
  /** Faults that change the answer. */
  readonly lie: ListLieName | undefined
  readonly stale: Stale | undefined
}

export type ListLieName = 'without-items' | 'empty' | 'partial' | 'truncated'

const largestBody = 3 * 1024 * 1024

export const readBody = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    const buffer = Buffer.from(chunk)
    size += buffer.length
    if (size > largestBody)
      throw new ApiError(`Request entity too large: limit is ${largestBody}`, {
        code: 413,
        reason: 'RequestEntityTooLarge',
      })
    chunks.push(buffer)
  }
  return Buffer.concat(chunks)
}

export const mediaType = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? ''

const accepted = ['application/json', 'application/yaml', protobufType]

/**
 * The body as JSON, whether it came as JSON, YAML or protobuf; null when there is none.
 *
 * @param definition what a protobuf body is read as
 */
export const readJson = async (request: IncomingMessage, definition: string): Promise<Json> => {
  const body = await readBody(request)
  if (body.length === 0) return null
  const type = mediaType(request)
  if (type === '' || type.endsWith('json')) return parseJson(body.toString())
  if (type.endsWith('yaml')) return parseYamlText(body.toString())
  if (type === protobufType) return readProtobuf(definition, openEnvelope(body))
  throw unsupportedMediaType(type, accepted)
}

export const parseJson = (text: string): Json => {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw badRequest(`the object provided is unrecognized: ${String(cause)}`)
  }
}

export const parseYamlText = (text: string): Json => {
  if (text.trimStart().startsWith('{')) return parseJson(text)
  try {
    return parseYaml(text)
  } catch (cause) {
    throw badRequest(`error converting YAML to JSON: ${String(cause)}`)
  }
}

const jsonHeaders = { 'content-type': 'application/json' }

/** Sends text that is JSON already. */
export const sendText = (exchange: Exchange, code: number, text: string): void => {
  const { response } = exchange
  if (response.headersSent || response.destroyed) return
  response.writeHead(code, { ...jsonHeaders, 'content-length': Buffer.byteLength(text) })
  response.end(exchange.method === 'HEAD' ? undefined : text)
}

export const sendJson = (exchange: Exchange, code: number, body: JsonObject): void =>
  sendText(exchange, code, JSON.stringify(body))

export const sendPlain = (response: ServerResponse, code: number, text: string): void => {
  if (response.headersSent || response.destroyed) return
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(text)
}

export const sendError = (response: ServerResponse, error: ApiError): void => {
  if (response.headersSent || response.destroyed) return
  const seconds = error.details?.retryAfterSeconds
  response.writeHead(error.code, {
    ...jsonHeaders,
    ...(seconds === undefined ? {} : { 'retry-after': String(seconds) }),
  })
  response.end(JSON.stringify(error.toStatus()))
}

/** Tells the client of warnings, as the `Warning` header of RFC 7234. */
export const warn = (exchange: Exchange, warnings: readonly string[]): void => {
  if (warnings.length === 0) return
  exchange.response.setHeader(
    'warning',
    warnings.map((text) => `299 - "${text.replaceAll('"', '\\"')}"`),
  )
}
