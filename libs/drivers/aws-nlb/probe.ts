import { explainError, OperatingError } from '@weir/kernel'
import type { Probe } from '../driver.ts'
import { failureOf } from './outcome.ts'
import { must, read, type Reader } from './reading.ts'
import type { AwsNlbSettings } from './settings.ts'
import { awsNlbCapabilities } from './wish.ts'

/** Limits worth telling, by the names that DescribeAccountLimits gives them. */
const told: readonly string[] = [
  'network-load-balancers',
  'target-groups',
  'listeners-per-network-load-balancer',
]

/**
 * Asks who the credentials belong to, and whether they may look at load balancers and at the VPC.
 *
 * @throws OperatingError when AWS cannot be asked now.
 */
export const probe = async (reader: Reader, settings: AwsNlbSettings): Promise<Probe> => {
  try {
    const who = await read(reader, 'ask who we are', ({ sts }) => sts.getCallerIdentity({}))
    const account = must(who.Account, 'Account')
    if (settings.account !== undefined && settings.account !== account) {
      const problem = `the credentials are account ${account}'s, not ${settings.account}'s`
      return { status: 'refused', problem }
    }
    const { Limits = [] } = await read(reader, 'read the limits of the account', ({ elb }) =>
      elb.describeAccountLimits({ PageSize: 400 }),
    )
    const { Subnets = [] } = await read(reader, 'read the subnets', ({ ec2 }) =>
      ec2.describeSubnets({ SubnetIds: settings.subnetIds }),
    )
    const stray = Subnets.find(({ VpcId }) => VpcId !== settings.vpcId)
    if (stray !== undefined) {
      const problem = `${stray.SubnetId} is in ${stray.VpcId}, not in ${settings.vpcId}`
      return { status: 'refused', problem }
    }
    const zones = Subnets.map(({ AvailabilityZone }) => AvailabilityZone).join(', ')
    const limits = Limits.filter(({ Name }) => told.includes(Name ?? ''))
      .map(({ Name, Max }) => `${Name} ${Max}`)
      .join(', ')
    const listeners = Limits.find(({ Name }) => Name === 'listeners-per-network-load-balancer')
    const maxFrontends = Math.min(
      awsNlbCapabilities.maxFrontends,
      Number(listeners?.Max ?? awsNlbCapabilities.maxFrontends),
    )
    return {
      status: 'ready',
      account,
      found: `${settings.region}, ${settings.scheme}, zones ${zones}; limits: ${limits || 'not told'}`,
      capabilities: { ...awsNlbCapabilities, maxFrontends },
    }
  } catch (error) {
    if (!(error instanceof OperatingError) || !isRefusal(error.cause)) throw error
    return { status: 'refused', problem: explainError(error).slice(0, 500) }
  }
}

/** Whether the credentials or settings are wrong, other than AWS being away. */
const isRefusal = (cause: unknown): boolean => {
  const { status, code } = failureOf(cause)
  return status === 401 || status === 403 || /^(InvalidSubnet|InvalidClientToken)/.test(code)
}
