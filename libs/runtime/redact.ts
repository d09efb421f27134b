import { explainError } from '@weir/kernel'

const SECRET_FIELD =
  /(password|passwd|secret|token|authorization|credentials?|kubeconfig|cookie|(api|access|client|master|private|signing)_?key)$/i
/** `//user:password@` in any URL, also inside an error's text. */
const URL_CREDENTIALS = /\/\/[^/\s@:]*:[^/\s@]*@/g
/** A bearer token or a signed JWT, wherever it stands. */
const BEARER = /\b(?:Bearer\s+\S+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)/g
const DEEPEST = 5
const CENSORED = '[redacted]'

/** The text without passwords in URLs and without bearer tokens. */
export const redactText = (text: string): string =>
  text.replace(URL_CREDENTIALS, `//${CENSORED}@`).replace(BEARER, CENSORED)

/**
 * What may be logged of a value: fields named like a secret are censored, texts are cleaned, errors
 * become their chain of messages, and what lies deeper than five levels is left out.
 */
export const redact = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return redactText(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return redactText(explainError(value))
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (depth === DEEPEST) return '...'
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1))
  return redactFields(value, depth)
}

const redactFields = (fields: object, depth: number): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      isSecret(name, value) ? CENSORED : redact(value, depth + 1),
    ]),
  )

const isSecret = (name: string, value: unknown): boolean =>
  SECRET_FIELD.test(name) && typeof value !== 'number' && typeof value !== 'boolean'
