import { OperatingError } from '@weir/kernel'
import { z } from 'zod'

/** The API server answered with an error; its `Status` object is read into this. */
export class ApiError extends OperatingError {
  /** HTTP status, or the code of a Status that came inside a watch. */
  readonly status: number
  /** The machine's word, such as `NotFound`, `Conflict`, `Expired`; empty when it gave none. */
  readonly reason: string
  constructor(
    message: string,
    about: { readonly status: number; readonly reason: string; readonly retryAfterMs?: number },
  ) {
    super(
      message,
      about.retryAfterMs === undefined ? {} : { retry: { afterMs: about.retryAfterMs } },
    )
    this.name = 'ApiError'
    this.status = about.status
    this.reason = about.reason
  }
}

/** Whether `error` is an answer of the API server with one of these HTTP statuses. */
export const isApiError = (error: unknown, ...statuses: readonly number[]): error is ApiError =>
  error instanceof ApiError && (statuses.length === 0 || statuses.includes(error.status))

const statusObject = z.object({
  code: z.number().optional(),
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z.object({ retryAfterSeconds: z.number().optional() }).optional(),
})

export interface FailedCall {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly said: string
}

/** Reads an error answer; a body that is no Status is told by its HTTP status alone. */
export const apiErrorOf = (call: FailedCall): ApiError => {
  const status = statusFrom(call.said)
  const message = status.message ?? `HTTP ${call.status}`
  const afterMs = retryAfterMs(call.headers['retry-after'], status.details?.retryAfterSeconds)
  return new ApiError(`${call.method} ${call.path}: ${message.slice(0, 1000)}`, {
    status: call.status,
    reason: status.reason ?? '',
    ...(afterMs === undefined ? {} : { retryAfterMs: afterMs }),
  })
}

/** Reads the Status object of an ERROR line in a watch. */
export const watchErrorOf = (path: string, object: unknown): ApiError => {
  const read = statusObject.safeParse(object)
  const status = read.success ? read.data : {}
  return new ApiError(`watch ${path}: ${status.message ?? 'an error without words'}`, {
    status: status.code ?? 500,
    reason: status.reason ?? '',
  })
}

const statusFrom = (said: string): z.infer<typeof statusObject> => {
  try {
    const read = statusObject.safeParse(JSON.parse(said))
    return read.success ? read.data : {}
  } catch {
    return {}
  }
}

const retryAfterMs = (
  header: string | string[] | undefined,
  seconds: number | undefined,
): number | undefined => {
  const asked = typeof header === 'string' && /^\d{1,5}$/.test(header) ? Number(header) : seconds
  return asked === undefined ? undefined : Math.min(asked, 300) * 1000
}
