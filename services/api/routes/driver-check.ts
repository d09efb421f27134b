import { sameAccount, type KnownDriver } from '@weir/backbone/drivers'
import type { Driver, Probe } from '@weir/drivers'
import { explainError, OperatingError } from '@weir/kernel'
import { redactText } from '@weir/runtime'
import { z } from 'zod'
import { Problem } from '../problem.ts'

/** How a driver was found when its provider was asked. */
export const checked = z.object({
  name: z.string(),
  status: z.enum(['ready', 'refused', 'unreachable']),
  /** The account that the credentials belong to, as the provider names it. */
  account: z.string().nullable(),
  /** Version and features, as found. */
  found: z.string().nullable(),
  capabilities: z.looseObject({}).nullable(),
  problem: z.string().nullable(),
})
export type Checked = z.infer<typeof checked>

/** Asks the provider with the stored credentials. Never rejects for what the world does. */
export const checkDriver = async (
  known: KnownDriver,
  driver: Driver | undefined,
): Promise<Checked> => {
  const { name, account } = known
  if (driver === undefined) return failed(name, 'refused', known.problem ?? 'it is not open')
  try {
    const probe = await driver.probe()
    // What our own fleet is called is nobody's account.
    const problem = known.kind === 'edge' ? refusalOf(probe) : refusalOf(probe, account)
    if (probe.status !== 'ready' || problem !== undefined)
      return failed(name, 'refused', problem ?? 'the provider refused')
    const { found, capabilities } = probe
    const ready = { name, status: 'ready', account: probe.account, found, problem: null } as const
    return { ...ready, capabilities: { ...capabilities } }
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    return failed(name, 'unreachable', redactText(explainError(error)))
  }
}

/**
 * Whether a driver's credentials are the account's.
 * @throws Problem 422 when the provider refuses them or says that they are another account's
 * @throws OperatingError when the provider does not answer
 */
export const requireAccount = async (driver: Driver, account: string): Promise<void> => {
  const problem = refusalOf(await driver.probe(), account)
  if (problem === undefined) return
  const hint = 'check the account and the credentials; nothing was stored'
  throw new Problem(422, 'credentials-refused', redactText(problem), hint)
}

const refusalOf = (probe: Probe, account?: string): string | undefined => {
  if (probe.status === 'refused') return probe.problem
  if (account === undefined || sameAccount(probe.account, account)) return undefined
  return `the credentials are those of account ${probe.account}, not of ${account}`
}

const failed = (name: string, status: Checked['status'], problem: string): Checked => {
  const nothing = { account: null, found: null, capabilities: null }
  return { name, status, ...nothing, problem: redactText(problem) }
}
