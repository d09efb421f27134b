import { hashOf } from '@weir/contract'
import { AwsRefusal } from './query.ts'

export interface FakeTag {
  readonly Key: string
  readonly Value: string
}

export interface Balancer {
  readonly arn: string
  readonly name: string
  readonly dnsName: string
  readonly scheme: string
  readonly vpcId: string
  readonly subnets: readonly { readonly subnetId: string; readonly allocationId?: string }[]
  securityGroups: readonly string[]
  readonly createdAt: number
  /** When it leaves `provisioning`. */
  readonly readyAt: number
  readonly fails: boolean
  readonly attributes: Map<string, string>
  readonly tags: Map<string, string>
  readonly createdWith: string
}

export interface Listener {
  readonly arn: string
  readonly balancerArn: string
  port: number
  protocol: string
  groupArn: string
  readonly tags: Map<string, string>
  readonly createdWith: string
}

export interface Registered {
  readonly id: string
  readonly port: number
  readonly registeredAt: number
  /** When it was deregistered, while it drains. */
  readonly drainingSince?: number
}

export interface Group {
  readonly arn: string
  readonly name: string
  readonly protocol: string
  readonly port: number
  readonly vpcId: string
  health: {
    readonly protocol: string
    readonly port: string
    readonly path: string
    readonly intervalSeconds: number
    readonly healthyThreshold: number
    readonly unhealthyThreshold: number
    readonly matcher: string
  }
  readonly attributes: Map<string, string>
  readonly tags: Map<string, string>
  readonly targets: Map<string, Registered>
  readonly createdWith: string
}

export interface SecurityGroup {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly vpcId: string
  /** `tcp/80-80 0.0.0.0/0`. */
  readonly rules: Set<string>
  readonly tags: Map<string, string>
}

export interface Address {
  readonly allocationId: string
  readonly ip: string
  readonly tags: Map<string, string>
}

/** Network interfaces of a load balancer that is gone hold what it used, for a while. */
export interface Lingering {
  readonly until: number
  readonly securityGroups: readonly string[]
  readonly allocationIds: readonly string[]
  readonly groupArns: readonly string[]
}

export interface State {
  readonly balancers: Map<string, Balancer>
  readonly listeners: Map<string, Listener>
  readonly groups: Map<string, Group>
  readonly securityGroups: Map<string, SecurityGroup>
  readonly addresses: Map<string, Address>
  lingering: Lingering[]
}

export const emptyState = (): State => ({
  balancers: new Map(),
  listeners: new Map(),
  groups: new Map(),
  securityGroups: new Map(),
  addresses: new Map(),
  lingering: [],
})

/** How long things take at the fake, ms, and how much there may be. */
export interface Behaviour {
  provisioningMs: number
  /** From registration in a group that is used to healthy. */
  initialMs: number
  /** What a deleted load balancer used stays in use for this long. */
  lingerMs: number
  /** Reads show the world as it was this long ago. */
  readLagMs: number
  readonly limits: {
    balancers: number
    groups: number
    listenersPerBalancer: number
    targetsPerGroup: number
    rulesPerSecurityGroup: number
    addresses: number
  }
}

/** Nothing takes time; AWS's default quotas, addresses apart (AWS: 5). */
export const defaultBehaviour = (): Behaviour => ({
  provisioningMs: 0,
  initialMs: 0,
  lingerMs: 0,
  readLagMs: 0,
  limits: {
    balancers: 50,
    groups: 3000,
    listenersPerBalancer: 50,
    targetsPerGroup: 1000,
    rulesPerSecurityGroup: 60,
    addresses: 50,
  },
})

/** The account that the fake is, and what its operator made in it. */
export interface Premises {
  readonly account: string
  readonly region: string
  readonly vpcId: string
  /** Subnet id to availability zone. */
  readonly subnets: ReadonlyMap<string, string>
  /** Private addresses of running instances, by id. */
  readonly instances: Map<string, string>
  readonly unhealthy: Set<string>
}

/** What every action works with. */
export interface Scene {
  readonly state: State
  readonly now: number
  readonly behaviour: Behaviour
  readonly premises: Premises
  /** Fresh hexadecimal digits, different each time. */
  readonly fresh: (length: number) => string
  /** Whether the next load balancer can't be set up. */
  readonly nextFails: () => boolean
}

export const refuse = (code: string, message: string, status = 400): never => {
  throw new AwsRefusal(code, message, status)
}

export const balancerState = (balancer: Balancer, now: number): string => {
  if (now < balancer.readyAt) return 'provisioning'
  return balancer.fails ? 'failed' : 'active'
}

/** Drops what has drained and what nothing lingers in any more. */
export const letTimePass = (state: State, now: number): void => {
  state.lingering = state.lingering.filter(({ until }) => until > now)
  for (const group of state.groups.values()) {
    const delayMs = 1000 * Number(group.attributes.get('deregistration_delay.timeout_seconds'))
    for (const [key, { drainingSince }] of group.targets) {
      if (drainingSince !== undefined && drainingSince + delayMs <= now) group.targets.delete(key)
    }
  }
}

/** What a create call was asked for, in one word to compare the next by. */
export const settingsOf = (value: unknown): string => hashOf(value)

/** "Tag restrictions" of the Elastic Load Balancing user guide; EC2's are the same. */
export const checkTags = (tags: readonly FakeTag[] = []): Map<string, string> => {
  const checked = new Map<string, string>()
  for (const { Key, Value } of tags) {
    if (Key.length < 1 || Key.length > 128 || Value.length > 256) {
      refuse('ValidationError', `tag ${Key} is too long: 128 for a key, 256 for a value`)
    }
    if (!/^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(`${Key}${Value}`)) {
      refuse('ValidationError', `tag ${Key} has a character that tags may not have`)
    }
    if (/^aws:/i.test(Key)) refuse('ValidationError', `tag ${Key}: aws: is reserved`)
    if (checked.has(Key)) refuse('DuplicateTagKeys', `tag key ${Key} was specified more than once`)
    checked.set(Key, Value)
  }
  if (checked.size > 50) refuse('TooManyTags', 'a resource has 50 tags at most')
  return checked
}

/** "Must be unique, ≤ 32 characters, alphanumeric or hyphens, no hyphen at an end." */
export const checkName = (name: string): void => {
  if (!/^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$/.test(name) || name.startsWith('internal-')) {
    refuse('ValidationError', `'${name}' is no valid name`)
  }
}

export const tagList = (tags: ReadonlyMap<string, string>): FakeTag[] =>
  [...tags].map(([Key, Value]) => ({ Key, Value }))
