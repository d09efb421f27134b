import { z } from 'zod'

const awsId = (kind: string) =>
  z.string().regex(new RegExp(`^${kind}-[0-9a-z]{1,40}$`), {
    error: `must be an id such as ${kind}-0123456789abcdef0`,
  })

/** What an operator says about an account, for `driverAccount.settings`; never a secret. */
export const awsNlbSettings = z.strictObject({
  region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, {
    error: 'must be a region such as eu-central-1',
  }),
  vpcId: awsId('vpc'),
  /** One subnet in each availability zone that a load balancer is to have an address in. */
  subnetIds: z
    .array(awsId('subnet'))
    .min(1)
    .max(20)
    .refine((ids) => new Set(ids).size === ids.length, { error: 'names a subnet twice' }),
  scheme: z.enum(['internet-facing', 'internal']).default('internet-facing'),
  /** One elastic IP of our own per subnet, so that the addresses never change; internet-facing only. */
  elasticIps: z.boolean().default(false),
  /** Whether each zone's address sends to the targets of all zones. */
  crossZone: z.boolean().default(true),
  /** How long a target that leaves may finish its connections, 0-3600 s. */
  deregistrationDelaySeconds: z.int().min(0).max(3600).default(60),
  /** Whether what is left then is cut off. */
  terminateConnections: z.boolean().default(true),
  /** Seconds between two health checks of a target, 5-300. */
  healthCheckIntervalSeconds: z.int().min(5).max(300).default(10),
  /**
   * Security groups of the operator's that every load balancer carries besides its own: nodes can then
   * let traffic in from one group, whatever Services come and go.
   */
  sharedSecurityGroupIds: z.array(awsId('sg')).max(4).default([]),
  /** The account id that the credentials must turn out to be. */
  account: z
    .string()
    .regex(/^\d{12}$/, { error: 'must be the 12 digits of an account id' })
    .optional(),
  /** How long a thing just made may be missing from reads before that counts, ms. */
  consistencyWindowMs: z.int().min(0).max(600_000).default(30_000),
  /** Replaces AWS's own endpoints, for tests and private gateways. */
  endpoint: z.url({ protocol: /^https?$/ }).optional(),
})
export type AwsNlbSettings = z.infer<typeof awsNlbSettings>

/** What the driver signs its calls with. With `roleArn` it takes on that role first. */
export const awsCredentials = z.strictObject({
  accessKeyId: z.string().min(1).max(200),
  secretAccessKey: z.string().min(1).max(200),
  sessionToken: z.string().min(1).max(10_000).optional(),
  roleArn: z
    .string()
    .regex(/^arn:aws[a-z-]*:iam::\d{12}:role\/\S{1,512}$/, { error: 'must be the ARN of a role' })
    .optional(),
  /** What the role's trust policy asks of a stranger. */
  externalId: z.string().min(2).max(1224).optional(),
})
export type AwsCredentials = z.infer<typeof awsCredentials>
