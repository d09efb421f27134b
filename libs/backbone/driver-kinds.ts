import { fleetName, InvalidInput, type DriverAccount, type InstallationId } from '@weir/contract'
import {
  createBudgets,
  createEdgeDriver,
  fleetCredentials,
  fleetSettings,
  type Budget,
  type Driver,
  type EdgeDriverOptions,
  type Rate,
} from '@weir/drivers'
import type { Clock, Ids, Logger } from '@weir/kernel'
import { z } from 'zod'

/** What a driver is given by the process it runs in. */
export interface DriverPorts {
  readonly installation: InstallationId
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

/** How drivers of one kind are made from an account's settings and its credentials. */
export interface DriverKind {
  /** @throws InvalidInput naming the first field that is wrong; never with a value */
  open(account: DriverAccount, credentials: unknown, ports: DriverPorts): Driver
}

/** The kinds by name. A kind is loaded when the first driver of it is opened: SDKs are big. */
export type DriverKinds = Readonly<Record<DriverAccount['kind'], () => Promise<DriverKind>>>

/**
 * Processes that share an account's rate: two provisioners and gc. A process knows only its own calls,
 * so each takes its part; more replicas than that may meet the provider's throttle, which is an outcome.
 */
const sharers = 3

const fleetAccount = z.object({ account: fleetName })

/** What every fleet of edges is reached by, and waited for. */
export type FleetPorts = Pick<EdgeDriverOptions, 'bus' | 'patience' | 'traceparent'>

/** The kinds that this version has, for one process: drivers of one account share its rate there. */
export const createDriverKinds = (clock: Clock, fleets: FleetPorts): DriverKinds => ({
  fleet: once(async () => ({
    open: (account, secrets, ports) => {
      const { dataPlane } = parseFields(fleetSettings, account.settings, 'settings')
      parseFields(fleetCredentials, secrets, 'credentials')
      const { account: fleet } = parseFields(fleetAccount, account, 'driver')
      return createEdgeDriver({ ...ports, ...fleets, name: account.name, fleet, dataPlane })
    },
  })),
  octavia: once(async () => {
    const octavia = await import('@weir/drivers/octavia')
    const budgetOf = budgets(clock, octavia.octaviaRates)
    return {
      open: (account, secrets, ports) => {
        const { octaviaSettings, octaviaCredentials, createOctaviaDriver } = octavia
        const stored = { projectId: account.account, ...account.settings }
        const settings = parseFields(octaviaSettings, stored, 'settings')
        requireSame('settings.projectId', settings.projectId, account.account)
        const credentials = parseFields(octaviaCredentials, secrets, 'credentials')
        const { name } = account
        const budget = budgetOf(account.account)
        return createOctaviaDriver({ ...ports, name, settings, credentials, budget })
      },
    }
  }),
  'aws-nlb': once(async () => {
    const aws = await import('@weir/drivers/aws-nlb')
    const budgetOf = budgets(clock, aws.awsRates)
    return {
      open: (account, secrets, ports) => {
        const stored = { account: account.account, ...account.settings }
        const settings = parseFields(aws.awsNlbSettings, stored, 'settings')
        requireSame('settings.account', settings.account, account.account)
        const credentials = parseFields(aws.awsCredentials, secrets, 'credentials')
        const { name } = account
        const budget = budgetOf(`${account.account}/${settings.region}`)
        return aws.createAwsNlbDriver({ ...ports, name, settings, credentials, budget })
      },
    }
  }),
})

/** Loads at the first call, and once. */
const once = <T>(load: () => Promise<T>): (() => Promise<T>) => {
  let loading: Promise<T> | undefined
  return () => (loading ??= load())
}

interface Rates {
  readonly read: Rate
  readonly write: Rate
}

const budgets = (clock: Clock, { read, write }: Rates): ((account: string) => Budget) =>
  createBudgets({ clock, read: shareOf(read), write: shareOf(write) })

const shareOf = ({ perSecond, burst }: Rate): Rate => ({
  perSecond: perSecond / sharers,
  burst: Math.max(1, Math.floor(burst / sharers)),
})

/** Whether two names mean one account: OpenStack writes its ids with dashes and without. */
export const sameAccount = (one: string, other: string): boolean =>
  one.replaceAll('-', '') === other.replaceAll('-', '')

const requireSame = (field: string, said: string | undefined, account: string): void => {
  if (said !== undefined && sameAccount(said, account)) return
  throw new InvalidInput(field, `${field}: is another account than the driver's; leave it out`)
}

/** Parses what is stored or was sent. @throws InvalidInput naming the first field that is wrong */
export const parseFields = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [first] = parsed.error.issues
  const field = [what, ...(first?.path ?? [])].join('.')
  throw new InvalidInput(field, `${field}: ${first?.message ?? 'is not as expected'}`)
}
