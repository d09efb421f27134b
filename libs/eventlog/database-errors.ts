import { Bug, OperatingError } from '@weir/kernel'

/** Where a database is, without what opens it: `postgres://user@host:port/database`. */
export const describeAddress = (url: string): string => {
  if (!URL.canParse(url)) return 'the database address'
  const { protocol, username, host, pathname } = new URL(url)
  return `${protocol}//${username === '' ? '' : `${username}@`}${host}${pathname}`
}

// Classes and codes of SQLSTATE that pass by themselves: connection, resources, operator's
// intervention, system, deadlock and serialisation, and a standby that takes no writes yet.
const passing = /^(08|53|57|58|40|25006)/
const networkCodes = /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_AGAIN|EADDR)/
const lostSession =
  /connection (terminated|ended|closed)|timeout exceeded|read timeout|not queryable|calling end/i

/**
 * What went wrong at the database, said by what was attempted and where. Failures that pass carry
 * `retry`; others, such as a missing table or a right we lack, do not.
 */
export const toOperatingError = (action: string, url: string, cause: unknown): Error => {
  if (cause instanceof OperatingError || cause instanceof Bug) return cause
  const code = codeOf(cause)
  const words = cause instanceof Error ? cause.message : ''
  const where = describeAddress(url)
  if (networkCodes.test(code) || lostSession.test(words) || /^(08|57)/.test(code)) {
    return new OperatingError(
      `cannot ${action}: ${where} did not answer; see that PostgreSQL runs there`,
      { cause, retry: { afterMs: 500 } },
    )
  }
  if (/^(28|3D)/.test(code)) {
    return new OperatingError(
      `cannot ${action}: ${where} refuses us; check user, password and database in DATABASE_URL`,
      { cause },
    )
  }
  // 22023: the role weir_service does not exist yet.
  if (/^(42(P01|883|501)|22023)/.test(code)) {
    return new OperatingError(
      `cannot ${action}: ${where} lacks our schema or a right; migrate it as its owner first`,
      { cause },
    )
  }
  return new OperatingError(`cannot ${action} at ${where}`, {
    cause,
    ...(passing.test(code) ? { retry: { afterMs: 500 } } : {}),
  })
}

const codeOf = (cause: unknown): string =>
  typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : ''

/** Whether the database answered, and so refused the statement for what is in it. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof OperatingError && error.retry === undefined
