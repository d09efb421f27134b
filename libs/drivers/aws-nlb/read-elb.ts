import type { Action, LoadBalancer, TargetGroup } from '@aws-sdk/client-elastic-load-balancing-v2'
import type { OwnershipMarks } from '@weir/contract'
import { loadBalancerName, targetGroupPrefix } from './names.ts'
import { must, read, readAll, readIfThere, type Reader } from './reading.ts'
import type { Tags } from './tags.ts'
import type { SeenListener, SeenLoadBalancer, SeenTarget, SeenTargetGroup } from './view.ts'
import { managedAttributes } from './wish.ts'

/** A load balancer or a target group as a list shows it. */
export interface Listed {
  readonly arn: string
  readonly name: string
}
export interface ListedBalancer extends Listed {
  readonly listed: LoadBalancer
}
export interface ListedGroup extends Listed {
  readonly listed: TargetGroup
}

/** AWS's own most. */
export const pageSize = 400

export const balancerOf = (listed: LoadBalancer): ListedBalancer => ({
  arn: must(listed.LoadBalancerArn, 'LoadBalancerArn'),
  name: must(listed.LoadBalancerName, 'LoadBalancerName'),
  listed,
})

export const groupOf = (listed: TargetGroup): ListedGroup => ({
  arn: must(listed.TargetGroupArn, 'TargetGroupArn'),
  name: must(listed.TargetGroupName, 'TargetGroupName'),
  listed,
})

/** The load balancer with the name of these marks; the name is unique in account and region. */
export const readBalancersNamed = async (
  reader: Reader,
  marks: OwnershipMarks,
): Promise<readonly ListedBalancer[]> => {
  const name = loadBalancerName(marks)
  const answer = await readIfThere(reader, `read load balancer ${name}`, ({ elb }) =>
    elb.describeLoadBalancers({ Names: [name] }),
  )
  return (answer?.LoadBalancers ?? []).map(balancerOf).filter((found) => found.name === name)
}

/**
 * The target groups whose names begin as those of these marks do. AWS has no filter by name, so all are
 * listed: 8 pages at most with the default limit of 3,000 per region.
 */
export const readGroupsNamedLike = async (
  reader: Reader,
  marks: OwnershipMarks,
): Promise<readonly ListedGroup[]> => {
  const prefix = targetGroupPrefix(marks)
  const all = await readAll(async (next) => {
    const page = await read(reader, 'list target groups', ({ elb }) =>
      elb.describeTargetGroups({
        PageSize: pageSize,
        ...(next === undefined ? {} : { Marker: next }),
      }),
    )
    return { items: page.TargetGroups ?? [], next: page.NextMarker }
  })
  return all.map(groupOf).filter(({ name }) => name.startsWith(prefix))
}

/** What hangs on a load balancer: its listeners and attributes. */
export const readBalancer = async (
  reader: Reader,
  { arn, name, listed }: ListedBalancer,
  tags: Tags,
): Promise<SeenLoadBalancer> => {
  const listeners = await readAll(async (next) => {
    const page = await read(reader, `list the listeners of ${name}`, ({ elb }) =>
      elb.describeListeners({
        LoadBalancerArn: arn,
        PageSize: pageSize,
        ...(next === undefined ? {} : { Marker: next }),
      }),
    )
    return { items: page.Listeners ?? [], next: page.NextMarker }
  })
  const { Attributes } = await read(reader, `read the attributes of ${name}`, ({ elb }) =>
    elb.describeLoadBalancerAttributes({ LoadBalancerArn: arn }),
  )
  const crossZone = must(Attributes, 'Attributes').find(
    ({ Key }) => Key === 'load_balancing.cross_zone.enabled',
  )
  return {
    arn,
    name,
    dnsName: must(listed.DNSName, 'DNSName'),
    state: must(listed.State?.Code, 'State'),
    reason: listed.State?.Reason ?? '',
    securityGroups: listed.SecurityGroups ?? [],
    crossZone: crossZone?.Value === 'true',
    tags,
    listeners: listeners
      .map((listener): SeenListener => ({
        arn: must(listener.ListenerArn, 'ListenerArn'),
        port: must(listener.Port, 'Port'),
        protocol: must(listener.Protocol, 'Protocol'),
        targetGroupArn: groupBehind(listener.DefaultActions ?? []),
      }))
      .sort((one, other) => (one.arn < other.arn ? -1 : 1)),
  }
}

/** The one group that a listener forwards to; null for anything else that somebody set up by hand. */
const groupBehind = (actions: readonly Action[]): string | null => {
  const [only, ...more] = actions
  return more.length > 0 ? null : (only?.TargetGroupArn ?? null)
}

/** What hangs on a target group: its attributes and targets. */
export const readGroup = async (
  reader: Reader,
  { arn, name, listed }: ListedGroup,
): Promise<SeenTargetGroup> => {
  const attributes = await read(reader, `read the attributes of ${name}`, ({ elb }) =>
    elb.describeTargetGroupAttributes({ TargetGroupArn: arn }),
  )
  const health = await read(reader, `read the targets of ${name}`, ({ elb }) =>
    elb.describeTargetHealth({ TargetGroupArn: arn }),
  )
  return {
    arn,
    name,
    protocol: must(listed.Protocol, 'Protocol'),
    port: must(listed.Port, 'Port'),
    healthPort: listed.HealthCheckPort ?? '',
    healthPath: listed.HealthCheckPath ?? '',
    healthIntervalSeconds: listed.HealthCheckIntervalSeconds ?? 0,
    attributes: Object.fromEntries(
      must(attributes.Attributes, 'Attributes').flatMap(({ Key, Value }) =>
        Key !== undefined && managedAttributes.includes(Key) ? [[Key, Value ?? '']] : [],
      ),
    ),
    targets: must(health.TargetHealthDescriptions, 'TargetHealthDescriptions').map(
      ({ Target, TargetHealth }): SeenTarget => ({
        instance: must(Target?.Id, 'Target.Id'),
        port: must(Target?.Port, 'Target.Port'),
        state: must(TargetHealth?.State, 'TargetHealth.State'),
        problem: TargetHealth?.Description ?? TargetHealth?.Reason ?? null,
      }),
    ),
  }
}
