/** Why a check fails, in words for the operator; nothing when all is well. */
export type CheckOutcome = string | undefined

/** What /readyz asks. */
export interface Health {
  /**
   * Adds a check under a name that an operator recognises (`bus`, `log`). A check that rejects or
   * takes over a second counts as failed. The same name again replaces the earlier check.
   */
  add(name: string, check: () => CheckOutcome | Promise<CheckOutcome>): void
  /** Each failing check with its reason; empty means ready. */
  failing(): Promise<Readonly<Record<string, string>>>
}

const CHECK_DEADLINE_MS = 1_000

export const createHealth = (): Health => {
  const checks = new Map<string, () => CheckOutcome | Promise<CheckOutcome>>()
  return {
    add: (name, check) => void checks.set(name, check),
    failing: async () => {
      const outcomes = await Promise.all(
        [...checks].map(async ([name, check]) => [name, await outcomeOf(check)] as const),
      )
      const failed = outcomes.flatMap(([name, why]) => (why === undefined ? [] : [[name, why]]))
      return Object.fromEntries(failed)
    },
  }
}

const outcomeOf = async (
  check: () => CheckOutcome | Promise<CheckOutcome>,
): Promise<CheckOutcome> => {
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(
    () => late.resolve(`no answer within ${CHECK_DEADLINE_MS} ms`),
    CHECK_DEADLINE_MS,
  )
  try {
    return await Promise.race([Promise.resolve().then(check), late.promise])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    clearTimeout(timer)
  }
}
