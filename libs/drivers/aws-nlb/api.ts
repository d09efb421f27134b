import type { EC2 } from '@aws-sdk/client-ec2'
import type { ElasticLoadBalancingV2 } from '@aws-sdk/client-elastic-load-balancing-v2'
import type { STS } from '@aws-sdk/client-sts'
import type { AwsCredentials, AwsNlbSettings } from './settings.ts'

export interface AwsClients {
  readonly elb: ElasticLoadBalancingV2
  readonly ec2: EC2
  readonly sts: STS
}

/** AWS's own clients, loaded with the first call: an installation without AWS never pays for them. */
export interface AwsApi {
  clients(): Promise<AwsClients>
}

/** A call that has no answer by then has an unknown outcome. */
const answerWithinMs = 15_000
const connectWithinMs = 5_000

/**
 * Opens the three services we use. The SDK's own retries are off: what an error means for a step, and
 * when it is tried again, is decided in `outcome.ts` and by whoever carries the order out.
 */
export const createAwsApi = (settings: AwsNlbSettings, credentials: AwsCredentials): AwsApi => {
  let opened: Promise<AwsClients> | undefined
  return {
    clients: async () => {
      opened ??= open(settings, credentials)
      return opened
    },
  }
}

const open = async (settings: AwsNlbSettings, secret: AwsCredentials): Promise<AwsClients> => {
  const [elb, ec2, sts] = await Promise.all([
    import('@aws-sdk/client-elastic-load-balancing-v2'),
    import('@aws-sdk/client-ec2'),
    import('@aws-sdk/client-sts'),
  ])
  const shared = {
    region: settings.region,
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: connectWithinMs,
      requestTimeout: answerWithinMs,
      throwOnRequestTimeout: true,
    },
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
  }
  const own = {
    accessKeyId: secret.accessKeyId,
    secretAccessKey: secret.secretAccessKey,
    ...(secret.sessionToken === undefined ? {} : { sessionToken: secret.sessionToken }),
  }
  const { roleArn } = secret
  const credentials =
    roleArn === undefined
      ? own
      : takeRole(new sts.STS({ ...shared, credentials: own }), roleArn, secret.externalId)
  return {
    elb: new elb.ElasticLoadBalancingV2({ ...shared, credentials }),
    ec2: new ec2.EC2({ ...shared, credentials }),
    sts: new sts.STS({ ...shared, credentials }),
  }
}

/** The role's temporary credentials; the SDK asks again shortly before they expire. */
const takeRole = (sts: STS, roleArn: string, externalId: string | undefined) => async () => {
  const { Credentials } = await sts.assumeRole({
    RoleArn: roleArn,
    RoleSessionName: 'weir',
    ...(externalId === undefined ? {} : { ExternalId: externalId }),
  })
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {}
  if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined) {
    throw new TypeError(`AssumeRole of ${roleArn} answered without credentials`)
  }
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    ...(Expiration === undefined ? {} : { expiration: Expiration }),
  }
}
