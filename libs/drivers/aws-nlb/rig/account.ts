import { awsNlbSettings, type AwsCredentials, type AwsNlbSettings } from '../settings.ts'

/** What a driver and a rig need to know of the account that they share. */
export interface RigAccount {
  readonly endpoint: string
  readonly region: string
  readonly account: string
  readonly vpcId: string
  readonly subnetIds: readonly string[]
  /** Private addresses of instances that can be targets, by id. */
  readonly instances: Readonly<Record<string, string>>
}

/** Settings for `account`, with anything of a test's own. */
export const settingsFor = (
  account: RigAccount,
  over: Partial<AwsNlbSettings> = {},
): AwsNlbSettings =>
  awsNlbSettings.parse({
    region: account.region,
    vpcId: account.vpcId,
    subnetIds: account.subnetIds,
    account: account.account,
    endpoint: account.endpoint,
    ...over,
  })

/** Credentials of the account, which both targets take. */
export const credentialsOf = (accessKeyId: string): AwsCredentials => ({
  accessKeyId,
  secretAccessKey: 'not-a-secret',
})
