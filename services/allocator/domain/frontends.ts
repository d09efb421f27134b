import type { Frontend } from '@weir/contract'

export const same = (a: Frontend, b: Frontend): boolean =>
  a.ip === b.ip && a.protocol === b.protocol && a.port === b.port

/** Those that `others` has not. */
export const without = (all: readonly Frontend[], others: readonly Frontend[]): Frontend[] =>
  all.filter((each) => !others.some((other) => same(each, other)))
