import { createHash } from 'node:crypto'

/**
 * JSON with sorted keys and no `undefined`, so that equal values give equal text whatever order their
 * fields were set in. Takes plain data only: strings, finite numbers, booleans, null, arrays, objects.
 */
export const canonicalJson = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : inner,
  )

/** The first 128 bits of SHA-256 over the canonical JSON of `value`, as 32 hexadecimal digits. */
export const hashOf = (value: unknown): string =>
  createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 32)

/** FNV-1a, 32 bits: the function nats-server uses for `partition()`, so both sides agree. */
export const fnv1a = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
