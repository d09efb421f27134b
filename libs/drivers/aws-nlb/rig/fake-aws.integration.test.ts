// The fake is worth what it refuses: each row is a rule of AWS's, with where it is written.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createAwsApi, type AwsClients } from '../api.ts'
import { failureOf } from '../outcome.ts'
import { credentialsOf } from './account.ts'
import { createFakeRig, fakeInstances, type FakeRig } from './driver-rig.ts'
import { settingsFor } from './account.ts'

let rig: FakeRig
let aws: AwsClients
beforeEach(async () => {
  rig = await createFakeRig()
  aws = await createAwsApi(settingsFor(rig.account), credentialsOf('AKIAHAND')).clients()
})
afterEach(() => rig.stop())

const codeOf = async (call: Promise<unknown>): Promise<string> => {
  try {
    await call
    return 'accepted'
  } catch (error) {
    return failureOf(error).code
  }
}
const balancer = async (name = 'one', over: object = {}): Promise<string> => {
  const input = { Name: name, Type: 'network' as const, Subnets: [...rig.account.subnetIds] }
  const made = await aws.elb.createLoadBalancer({ ...input, ...over })
  return made.LoadBalancers?.[0]?.LoadBalancerArn ?? ''
}
const group = async (name = 'one', over: object = {}): Promise<string> => {
  const { vpcId: VpcId } = rig.account
  const input = { Name: name, Protocol: 'TCP' as const, Port: 30_080, VpcId }
  const made = await aws.elb.createTargetGroup({ ...input, TargetType: 'instance', ...over })
  return made.TargetGroups?.[0]?.TargetGroupArn ?? ''
}
const listen = (LoadBalancerArn: string, TargetGroupArn: string, over: object = {}) =>
  aws.elb.createListener({
    LoadBalancerArn,
    Protocol: 'TCP',
    Port: 80,
    DefaultActions: [{ Type: 'forward', TargetGroupArn }],
    ...over,
  })
const forward = (TargetGroupArn: string) => ({
  DefaultActions: [{ Type: 'forward', TargetGroupArn }],
})
const security = async (name = 'one'): Promise<string> => {
  const input = { GroupName: name, Description: 'a', VpcId: rig.account.vpcId }
  return (await aws.ec2.createSecurityGroup(input)).GroupId ?? ''
}
const rule = (GroupId: string) => ({
  GroupId,
  IpPermissions: [
    { IpProtocol: 'tcp', FromPort: 80, ToPort: 80, IpRanges: [{ CidrIp: '0.0.0.0/0' }] },
  ],
})
const targets = (TargetGroupArn: string, ...ids: readonly string[]) => ({
  TargetGroupArn,
  Targets: ids.map((Id) => ({ Id, Port: 30_080 })),
})

/** A rule, a call that breaks it, and the code that AWS answers with. */
const rows: readonly (readonly [string, string, () => Promise<unknown>])[] = [
  ['a name has 32 characters at most', 'ValidationError', () => balancer('x'.repeat(33))],
  ['a name ends with no hyphen', 'ValidationError', () => group('weir-')],
  ['a name does not begin with internal-', 'ValidationError', () => balancer('internal-one')],
  [
    'a name is unique unless everything is the same',
    'DuplicateLoadBalancerName',
    async () => {
      await balancer()
      await balancer('one', { Scheme: 'internal' })
    },
  ],
  [
    'a target group name is unique unless everything is the same',
    'DuplicateTargetGroupName',
    async () => {
      await group()
      await group('one', { Port: 30_081 })
    },
  ],
  ['a subnet exists', 'SubnetNotFound', () => balancer('one', { Subnets: ['subnet-00'] })],
  [
    'subnets or mappings',
    'ValidationError',
    () => balancer('one', { SubnetMappings: [{ SubnetId: rig.account.subnetIds[0] }] }),
  ],
  [
    'a security group exists',
    'InvalidSecurityGroup',
    () => balancer('a', { SecurityGroups: ['sg-0'] }),
  ],
  [
    'an allocation exists',
    'AllocationIdNotFound',
    () =>
      balancer('one', {
        Subnets: undefined,
        SubnetMappings: [{ SubnetId: rig.account.subnetIds[0], AllocationId: 'eipalloc-0' }],
      }),
  ],
  [
    'one listener per port, whatever its protocol',
    'DuplicateListener',
    async () => {
      const arn = await balancer()
      await listen(arn, await group())
      await listen(arn, await group('udp', { Protocol: 'UDP' }), { Protocol: 'UDP' })
    },
  ],
  [
    'a group belongs to one load balancer',
    'TargetGroupAssociationLimit',
    async () => {
      const arn = await group()
      await listen(await balancer('one'), arn)
      await listen(await balancer('two'), arn)
    },
  ],
  [
    'a TCP_UDP listener forwards to a TCP_UDP group only',
    'InvalidConfigurationRequest',
    async () => listen(await balancer(), await group(), { Protocol: 'TCP_UDP' }),
  ],
  [
    'a group in use stays',
    'ResourceInUse',
    async () => {
      const arn = await group()
      await listen(await balancer(), arn)
      await aws.elb.deleteTargetGroup({ TargetGroupArn: arn })
    },
  ],
  [
    'a group stays in use for a while after its load balancer is gone',
    'ResourceInUse',
    async () => {
      const [one, two] = [await balancer(), await group()]
      await listen(one, two)
      await aws.elb.deleteLoadBalancer({ LoadBalancerArn: one })
      await aws.elb.deleteTargetGroup({ TargetGroupArn: two })
    },
  ],
  [
    'a target is a running instance',
    'InvalidTarget',
    async () => aws.elb.registerTargets(targets(await group(), 'i-0123456789abcdef0')),
  ],
  [
    'twenty ARNs a call',
    'ValidationError',
    async () => aws.elb.describeTags({ ResourceArns: Array<string>(21).fill(await balancer()) }),
  ],
  [
    'one missing ARN fails the call',
    'LoadBalancerNotFound',
    async () => {
      const arn = await balancer()
      await aws.elb.describeTags({ ResourceArns: [arn, `${arn}0`] })
    },
  ],
  [
    'fifty tags a resource',
    'TooManyTags',
    async () => {
      const Tags = Array.from({ length: 51 }, (_, index) => ({ Key: `k${index}`, Value: 'v' }))
      await aws.elb.addTags({ ResourceArns: [await balancer()], Tags })
    },
  ],
  [
    'no tag key twice',
    'DuplicateTagKeys',
    async () => {
      const one = { Key: 'k', Value: 'v' }
      await aws.elb.addTags({ ResourceArns: [await balancer()], Tags: [one, one] })
    },
  ],
  [
    'an attribute is a known one',
    'ValidationError',
    async () =>
      aws.elb.modifyTargetGroupAttributes({
        TargetGroupArn: await group(),
        Attributes: [{ Key: 'slow_start.duration_seconds', Value: '30' }],
      }),
  ],
  [
    'UDP keeps the client address',
    'InvalidConfigurationRequest',
    async () =>
      aws.elb.modifyTargetGroupAttributes({
        TargetGroupArn: await group('one', { Protocol: 'UDP' }),
        Attributes: [{ Key: 'preserve_client_ip.enabled', Value: 'false' }],
      }),
  ],
  [
    'a security group name is unique even for the same settings',
    'InvalidGroup.Duplicate',
    async () => {
      await security()
      await security()
    },
  ],
  [
    'a rule is there once',
    'InvalidPermission.Duplicate',
    async () => {
      const id = await security()
      await aws.ec2.authorizeSecurityGroupIngress(rule(id))
      await aws.ec2.authorizeSecurityGroupIngress(rule(id))
    },
  ],
  [
    'a rule that is not there is not revoked',
    'InvalidPermission.NotFound',
    async () => aws.ec2.revokeSecurityGroupIngress(rule(await security())),
  ],
  [
    'a security group of a load balancer stays',
    'DependencyViolation',
    async () => {
      const id = await security()
      await balancer('one', { SecurityGroups: [id] })
      await aws.ec2.deleteSecurityGroup({ GroupId: id })
    },
  ],
  [
    'an address of a load balancer stays',
    'InvalidIPAddress.InUse',
    async () => {
      const { AllocationId } = await aws.ec2.allocateAddress({ Domain: 'vpc' })
      const mapping = { SubnetId: rig.account.subnetIds[0], AllocationId }
      await balancer('one', { Subnets: undefined, SubnetMappings: [mapping] })
      await aws.ec2.releaseAddress({ AllocationId })
    },
  ],
  [
    'what it does not know it refuses',
    'ValidationError',
    () => balancer('one', { CustomerOwnedIpv4Pool: 'pool' }),
  ],
  ['an action it has not is none', 'InvalidAction', () => aws.elb.describeSSLPolicies({})],
]

test.each(rows)('%s: %s', async (_rule, code, call) => {
  expect(await codeOf(call())).toBe(code)
})

test('creating the same again gives the same', async () => {
  expect(await balancer()).toBe(await balancer())
  const [one, two] = [await group(), await group()]
  expect(one).toBe(two)
  const arn = await balancer()
  const made = await Promise.all([listen(arn, one), listen(arn, one)])
  expect(new Set(made.map(({ Listeners }) => Listeners?.[0]?.ListenerArn)).size).toBe(1)
})

test('deleting what is not there succeeds, as AWS documents it', async () => {
  const [LoadBalancerArn, TargetGroupArn] = [await balancer(), await group()]
  for (let time = 0; time < 2; time += 1) {
    expect(await codeOf(aws.elb.deleteLoadBalancer({ LoadBalancerArn }))).toBe('accepted')
    expect(await codeOf(aws.elb.deleteTargetGroup({ TargetGroupArn }))).toBe('accepted')
  }
  const ListenerArn = `${LoadBalancerArn}/0`
  expect(await codeOf(aws.elb.deleteListener({ ListenerArn }))).toBe('ListenerNotFound')
})

test('a target is unused, then initial, then healthy, then drains, then is gone', async () => {
  const [one, two] = [await balancer(), await group()]
  const [instance = ''] = fakeInstances
  await aws.elb.registerTargets(targets(two, instance))
  const states: (string | undefined)[] = []
  const look = async (): Promise<void> => {
    const { TargetHealthDescriptions } = await aws.elb.describeTargetHealth({ TargetGroupArn: two })
    states.push(TargetHealthDescriptions?.[0]?.TargetHealth?.State)
  }
  await look()
  await listen(one, two)
  await look()
  rig.clock.advance(121_000)
  await look()
  rig.clock.advance(30_000)
  await look()
  await aws.elb.deregisterTargets(targets(two, instance))
  await look()
  rig.clock.advance(301_000)
  await look()
  expect(states).toEqual(['unused', 'initial', 'initial', 'healthy', 'draining', undefined])
})

test('a listener moves to another group in one call', async () => {
  const [arn, one] = [await balancer(), await group()]
  const both = await group('both', { Protocol: 'TCP_UDP' })
  const { Listeners } = await listen(arn, one)
  const ListenerArn = Listeners?.[0]?.ListenerArn
  const change = { ListenerArn, Protocol: 'TCP_UDP' as const, ...forward(both) }
  const changed = await aws.elb.modifyListener(change as never)
  expect(changed.Listeners?.[0]).toMatchObject({ Port: 80, Protocol: 'TCP_UDP' })
  expect(await codeOf(aws.elb.deleteTargetGroup({ TargetGroupArn: one }))).toBe('accepted')
})

test('reads lag behind writes by as much as they are told to', async () => {
  rig.fake.behaviour.readLagMs = 5_000
  await balancer()
  const count = async () => (await aws.elb.describeLoadBalancers({})).LoadBalancers?.length
  expect(await count()).toBe(0)
  rig.clock.advance(5_001)
  expect(await count()).toBe(1)
})

test('a delete of what is gone is accepted, and is no change', async () => {
  const LoadBalancerArn = await balancer()
  await aws.elb.deleteLoadBalancer({ LoadBalancerArn })
  expect(await codeOf(aws.elb.deleteLoadBalancer({ LoadBalancerArn }))).toBe('accepted')
  const deletes = rig.fake.journal.filter(({ action }) => action === 'DeleteLoadBalancer')
  expect(deletes).toHaveLength(1)
})

test('a role is taken on before the first call', async () => {
  const roleArn = 'arn:aws:iam::123456789012:role/weir'
  const credentials = { ...credentialsOf('AKIAHAND'), roleArn }
  const { sts } = await createAwsApi(settingsFor(rig.account), credentials).clients()
  expect((await sts.getCallerIdentity({})).Account).toBe('123456789012')
  expect(rig.fake.calls.get('AssumeRole')).toBe(1)
})
