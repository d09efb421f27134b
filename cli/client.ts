import { z } from 'zod'
import { CommandFailed, type exitCodes } from './exit.ts'
import type { Session } from './session.ts'

const problem = z.object({
  detail: z.string(),
  hint: z.string().optional(),
  requestId: z.string().optional(),
})

const reasons: Readonly<Record<number, keyof typeof exitCodes>> = {
  400: 'usage',
  401: 'notAllowed',
  403: 'notAllowed',
  404: 'notFound',
  409: 'conflict',
  422: 'usage',
  503: 'unreachable',
}

export interface ApiClient {
  readonly tenant: string
  get<T>(path: string, schema: z.ZodType<T>): Promise<T>
  send<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    schema: z.ZodType<T>,
  ): Promise<T>
  /** A body that is read as it comes, for live tails. */
  open(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>>
}

type Init = Omit<RequestInit, 'headers'> & { readonly headers?: Readonly<Record<string, string>> }

/** Talks to the HTTP API. Every failure is a CommandFailed with the server's own sentence. */
export const createClient = (session: Session): ApiClient => {
  const call = async (path: string, init: Init): Promise<Response> => {
    const headers = { authorization: `Bearer ${session.token}`, ...init.headers }
    const response = await fetch(`${session.api}${path}`, { ...init, headers }).catch(
      (error: unknown) => {
        if (init.signal?.aborted) throw error
        throw new CommandFailed(
          'unreachable',
          `no answer from ${session.api}`,
          'is the platform running? start it with "npm start"',
        )
      },
    )
    if (response.ok) return response
    const told = problem.safeParse(await response.json().catch(() => undefined))
    const reason = reasons[response.status] ?? 'failed'
    if (!told.success) throw new CommandFailed(reason, `${path} answered ${response.status}`)
    throw new CommandFailed(reason, told.data.detail, told.data.hint)
  }
  const read = async <T>(response: Response, schema: z.ZodType<T>): Promise<T> =>
    schema.parse(response.status === 204 ? null : await response.json())

  return {
    tenant: session.tenant,
    get: async (path, schema) => read(await call(path, {}), schema),
    send: async (method, path, body, schema) => {
      const json = { 'content-type': 'application/json' }
      const init =
        body === undefined ? { method } : { method, headers: json, body: JSON.stringify(body) }
      return read(await call(path, init), schema)
    },
    open: async (path, headers, signal) => {
      const { body } = await call(path, { headers: { ...headers }, signal })
      if (!body) throw new CommandFailed('failed', `${path} answered without a body`)
      return body
    },
  }
}
