// What an account has, read and written as its owner does: with AWS's own client, past the driver.
import type { LoadBalancer, TargetGroup } from '@aws-sdk/client-elastic-load-balancing-v2'
import type { OwnershipMarks } from '@weir/contract'
import type { Serving, Thing } from '../../driver.conformance.ts'
import { createAwsApi, type AwsApi } from '../api.ts'
import { generationOf, marksOf, readTags, type Tags } from '../tags.ts'
import { credentialsOf, settingsFor, type RigAccount } from './account.ts'
import { truthKey } from './fake-aws.ts'

export interface Truth {
  things(): Promise<readonly Thing[]>
  serving(): Promise<readonly Serving[]>
  /** A load balancer as somebody makes it in the console. */
  makeByHand(): Promise<string>
  tagByHand(marks: OwnershipMarks): Promise<void>
  keepsTagByHand(marks: OwnershipMarks): Promise<boolean>
}

const handTag = { Key: 'team', Value: 'payments' }

export const createTruth = (account: RigAccount): Truth => {
  const api = createAwsApi(settingsFor(account), credentialsOf(truthKey))
  const tagged = async (marks: OwnershipMarks) =>
    (await everything(api)).filter(({ tags }) => {
      const theirs = marksOf(tags)
      return theirs?.key === marks.key && theirs.installation === marks.installation
    })
  return {
    things: async () =>
      (await everything(api)).map(({ kind, ref, tags }) => ({ kind, ref, marks: marksOf(tags) })),
    serving: async () => serving(api),
    makeByHand: async () => {
      const { elb } = await api.clients()
      const made = await elb.createLoadBalancer({
        Name: 'by-hand',
        Type: 'network',
        Subnets: [...account.subnetIds],
      })
      return made.LoadBalancers?.[0]?.LoadBalancerArn ?? ''
    },
    tagByHand: async (marks) => {
      const { elb } = await api.clients()
      const ResourceArns = (await tagged(marks))
        .map(({ ref }) => ref)
        .filter((ref) => ref.startsWith('arn:'))
      await elb.addTags({ ResourceArns, Tags: [handTag] })
    },
    keepsTagByHand: async (marks) => {
      const balancers = (await tagged(marks)).filter(({ kind }) => kind === 'load balancer')
      return (
        balancers.length > 0 &&
        balancers.every(({ tags }) => tags.get(handTag.Key) === handTag.Value)
      )
    },
  }
}

interface Found {
  readonly kind: string
  readonly ref: string
  readonly tags: Tags
}

const everything = async (api: AwsApi): Promise<readonly Found[]> => {
  const { elb, ec2 } = await api.clients()
  const { LoadBalancers = [] } = await elb.describeLoadBalancers({})
  const { TargetGroups = [] } = await elb.describeTargetGroups({})
  const { SecurityGroups = [] } = await ec2.describeSecurityGroups({})
  const { Addresses = [] } = await ec2.describeAddresses({})
  const listed = [
    ...LoadBalancers.map((one) => ['load balancer', one.LoadBalancerArn ?? ''] as const),
    ...TargetGroups.map((one) => ['target group', one.TargetGroupArn ?? ''] as const),
  ]
  const arns: Found[] = []
  for (const [kind, ref] of listed) arns.push({ kind, ref, tags: await tagsAt(api, ref) })
  return [
    ...arns,
    ...SecurityGroups.filter(({ GroupName }) => GroupName !== 'default').map((group) => ({
      kind: 'security group',
      ref: group.GroupId ?? '',
      tags: readTags(group.Tags),
    })),
    ...Addresses.map((address) => ({
      kind: 'elastic IP',
      ref: address.AllocationId ?? '',
      tags: readTags(address.Tags),
    })),
  ]
}

const tagsAt = async (api: AwsApi, arn: string): Promise<Tags> => {
  const { elb } = await api.clients()
  const { TagDescriptions } = await elb.describeTags({ ResourceArns: [arn] })
  return readTags(TagDescriptions?.[0]?.Tags)
}

const serving = async (api: AwsApi): Promise<readonly Serving[]> => {
  const { elb } = await api.clients()
  const { LoadBalancers = [] } = await elb.describeLoadBalancers({})
  const { TargetGroups = [] } = await elb.describeTargetGroups({})
  const all: Serving[] = []
  for (const balancer of LoadBalancers) {
    const tags = await tagsAt(api, balancer.LoadBalancerArn ?? '')
    const marks = marksOf(tags)
    if (marks === null) continue
    const { installation, key, epoch } = marks
    const own = await servingOf(api, balancer, TargetGroups)
    all.push({ installation, key, epoch, generation: generationOf(tags), ...own })
  }
  return all
}

type Own = Omit<Serving, 'installation' | 'key' | 'epoch' | 'generation'>

const servingOf = async (
  api: AwsApi,
  balancer: LoadBalancer,
  groups: readonly TargetGroup[],
): Promise<Own> => {
  const { elb, ec2 } = await api.clients()
  const LoadBalancerArn = balancer.LoadBalancerArn ?? ''
  const { Listeners = [] } = await elb.describeListeners({ LoadBalancerArn })
  const frontends: { protocol: string; port: number }[] = []
  const targets: { at: string; nodePort: number; weight: number }[] = []
  const attributes = new Map<string, string>()
  let health = { port: 0, path: '' }
  for (const { Protocol = '', Port = 0, DefaultActions } of Listeners) {
    const TargetGroupArn = DefaultActions?.[0]?.TargetGroupArn ?? ''
    const group = groups.find((one) => one.TargetGroupArn === TargetGroupArn)
    health = { port: Number(group?.HealthCheckPort), path: group?.HealthCheckPath ?? '' }
    const { Attributes = [] } = await elb.describeTargetGroupAttributes({ TargetGroupArn })
    for (const { Key = '', Value = '' } of Attributes) attributes.set(Key, Value)
    const { TargetHealthDescriptions = [] } = await elb.describeTargetHealth({ TargetGroupArn })
    for (const protocol of Protocol === 'TCP_UDP' ? ['TCP', 'UDP'] : [Protocol]) {
      frontends.push({ protocol, port: Port })
      targets.push(
        ...TargetHealthDescriptions.filter((one) => one.TargetHealth?.State !== 'draining').map(
          ({ Target }) => {
            return { at: providerIdOf(Target?.Id ?? ''), nodePort: Target?.Port ?? 0, weight: 1 }
          },
        ),
      )
    }
  }
  const { SecurityGroups = [] } = await ec2.describeSecurityGroups({
    GroupIds: balancer.SecurityGroups ?? [],
  })
  const cidrs = SecurityGroups.flatMap(({ IpPermissions = [] }) =>
    IpPermissions.flatMap(({ IpRanges = [] }) => IpRanges.flatMap(({ CidrIp }) => CidrIp ?? [])),
  )
  return {
    frontends,
    targets,
    sourceRanges: [...new Set(cidrs)].filter((cidr) => cidr !== '0.0.0.0/0'),
    health,
    proxyProtocol: attributes.get('proxy_protocol_v2.enabled') === 'true' ? 'v2' : 'none',
    affinity: attributes.get('stickiness.enabled') === 'true' ? 'ClientIP' : 'None',
  }
}

/** As kubelet writes it. The zone in it says nothing that AWS needs. */
export const providerIdOf = (instance: string): string => `aws:///eu-central-1a/${instance}`
