/** A bounded exponential wait with full jitter on its upper half. */
export interface BackoffRule {
  readonly minMs: number
  readonly maxMs: number
}

/**
 * The wait before attempt number `attempt` (1 is the first retry): doubles from `minMs` to `maxMs`,
 * and the random part keeps many failing keys from returning at once. `random` is in [0, 1).
 */
export const backoffMs = (rule: BackoffRule, attempt: number, random: number): number => {
  const doubled = rule.minMs * 2 ** Math.min(Math.max(attempt - 1, 0), 30)
  const capped = Math.min(doubled, rule.maxMs)
  return Math.round(capped / 2 + (capped / 2) * random)
}
