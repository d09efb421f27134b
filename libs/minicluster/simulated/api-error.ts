import type { JsonObject } from './object.ts'

/** One field that breaks a rule, as it stands in `details.causes`. */
export type Cause = { reason: string; message: string; field: string }

export interface ErrorDetails {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

interface ErrorShape {
  readonly code: number
  readonly reason: string
  readonly details?: ErrorDetails
}

/** A refusal that the client is told as a Status object, worded as the real API server does. */
export class ApiError extends Error {
  readonly code: number
  readonly reason: string
  readonly details: ErrorDetails | undefined
  constructor(message: string, shape: ErrorShape) {
    super(message)
    this.name = 'ApiError'
    this.code = shape.code
    this.reason = shape.reason
    this.details = shape.details
  }

  /** The Status body. */
  toStatus(): JsonObject {
    const details = this.details
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(details === undefined ? {} : { details: JSON.parse(JSON.stringify(details)) }),
      code: this.code,
    }
  }
}

/** What an error is about: the plural with its group, and the kind. */
export interface Subject {
  readonly group: string
  readonly plural: string
  readonly kind: string
}

const qualified = (group: string, plural: string): string =>
  group === '' ? plural : `${plural}.${group}`

const aboutResource = (s: Subject, name: string): ErrorDetails => ({
  ...(name === '' ? {} : { name }),
  ...(s.group === '' ? {} : { group: s.group }),
  kind: s.plural,
})

export const notFound = (s: Subject, name: string): ApiError =>
  new ApiError(`${qualified(s.group, s.plural)} "${name}" not found`, {
    code: 404,
    reason: 'NotFound',
    details: aboutResource(s, name),
  })

export const noSuchResource = (): ApiError =>
  new ApiError('the server could not find the requested resource', {
    code: 404,
    reason: 'NotFound',
    details: {},
  })

export const alreadyExists = (s: Subject, name: string): ApiError =>
  new ApiError(`${qualified(s.group, s.plural)} "${name}" already exists`, {
    code: 409,
    reason: 'AlreadyExists',
    details: aboutResource(s, name),
  })

export const conflict = (s: Subject, name: string, why: string): ApiError =>
  new ApiError(
    `Operation cannot be fulfilled on ${qualified(s.group, s.plural)} "${name}": ${why}`,
    { code: 409, reason: 'Conflict', details: aboutResource(s, name) },
  )

export const wasModified =
  'the object has been modified; please apply your changes to the latest version and try again'

export const invalid = (s: Subject, name: string, causes: readonly Cause[]): ApiError => {
  const lines = [...new Set(causes.map((cause) => `${cause.field}: ${cause.message}`))]
  const text = lines.length === 1 ? (lines[0] ?? '') : `[${lines.join(', ')}]`
  return new ApiError(
    `${s.kind}${s.group === '' ? '' : `.${s.group}`} "${name}" is invalid: ${text}`,
    {
      code: 422,
      reason: 'Invalid',
      details: {
        ...(name === '' ? {} : { name }),
        ...(s.group === '' ? {} : { group: s.group }),
        kind: s.kind,
        causes,
      },
    },
  )
}

export const forbidden = (s: Subject, name: string, why: string): ApiError =>
  new ApiError(
    name === ''
      ? `${qualified(s.group, s.plural)} is forbidden: ${why}`
      : `${qualified(s.group, s.plural)} "${name}" is forbidden: ${why}`,
    { code: 403, reason: 'Forbidden', details: aboutResource(s, name) },
  )

export const badRequest = (message: string): ApiError =>
  new ApiError(message, { code: 400, reason: 'BadRequest' })

export const unauthorized = (): ApiError =>
  new ApiError('Unauthorized', { code: 401, reason: 'Unauthorized' })

export const methodNotAllowed = (): ApiError =>
  new ApiError('the server does not allow this method on the requested resource', {
    code: 405,
    reason: 'MethodNotAllowed',
    details: {},
  })

export const expired = (message: string): ApiError =>
  new ApiError(message, { code: 410, reason: 'Expired' })

export const unsupportedMediaType = (given: string, accepted: readonly string[]): ApiError =>
  new ApiError(
    `the body of the request was in an unknown format - ${given} is not among the accepted media ` +
      `types: ${accepted.join(', ')}`,
    { code: 415, reason: 'UnsupportedMediaType' },
  )

export const internalError = (message: string): ApiError =>
  new ApiError(`Internal error occurred: ${message}`, {
    code: 500,
    reason: 'InternalError',
    details: { causes: [{ reason: 'UnexpectedServerError', message, field: '' }] },
  })

/** What this API server does not do; never a wrong answer. */
export const notImplemented = (what: string): ApiError =>
  new ApiError(`the simulated API server does not do this: ${what}`, {
    code: 501,
    reason: 'NotImplemented',
  })

export const badVersion = (text: string): ApiError =>
  badRequest(
    `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: ` +
      `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  )

export const tooLargeVersion = (asked: number, current: number): ApiError =>
  new ApiError(`Timeout: Too large resource version: ${asked}, current: ${current}`, {
    code: 504,
    reason: 'Timeout',
    details: {
      causes: [
        { reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' },
      ],
      retryAfterSeconds: 1,
    },
  })

/** The causes a validation can find, worded as `field.Error` does. */
export const required = (field: string, detail = ''): Cause => ({
  reason: 'FieldValueRequired',
  message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  field,
})

export const invalidValue = (field: string, value: unknown, detail: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${detail}`,
  field,
})

export const forbiddenField = (field: string, detail: string): Cause => ({
  reason: 'FieldValueForbidden',
  message: `Forbidden: ${detail}`,
  field,
})

export const duplicate = (field: string, value: unknown): Cause => ({
  reason: 'FieldValueDuplicate',
  message: `Duplicate value: ${JSON.stringify(value)}`,
  field,
})

export const notSupported = (
  field: string,
  value: string,
  supported: readonly string[],
): Cause => ({
  reason: 'FieldValueNotSupported',
  message: `Unsupported value: "${value}": supported values: ${supported
    .map((one) => `"${one}"`)
    .join(', ')}`,
  field,
})
