import type { PromiseName } from './promises/violation.ts'

interface Finding {
  readonly promise: PromiseName
  readonly pattern: RegExp
  readonly reason: string
}

/**
 * Findings in the product that are open: counted in every summary, and stepped over so that they do not
 * hide what comes after. A finding leaves this list together with its cause.
 */
const findings: readonly Finding[] = []

/** Why this is to be expected today; undefined for what is news. */
export const reasonKnown = (promise: PromiseName, problem: string): string | undefined =>
  findings.find((each) => each.promise === promise && each.pattern.test(problem))?.reason
