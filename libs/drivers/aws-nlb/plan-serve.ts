import { desiredHash, type DesiredResource } from '@weir/contract'
import type { Discard, Plan, Step } from '../driver.ts'
import type { AwsCall, StepCall } from './calls.ts'
import { loadBalancerName, securityGroupName } from './names.ts'
import { planRules, planTargets } from './plan-parts.ts'
import type { AwsNlbSettings } from './settings.ts'
import { generationOf, marksAsTags, stampOf, tagKey, type Role, type Tag } from './tags.ts'
import { shapeOf, type SeenListener, type SeenLoadBalancer, type View } from './view.ts'
import { findRefusal, wishOf, type Wish } from './wish.ts'

/** A planned call with the words for it. */
export type Planned = readonly [
  title: string,
  call: AwsCall,
  settingUp?: string | undefined,
  discards?: Discard,
]

/** Everything one plan is made from. */
export interface Making {
  readonly settings: AwsNlbSettings
  readonly desired: DesiredResource
  readonly view: View
  readonly wish: Wish
}

/**
 * From nothing to serving in four rounds: the parts, the load balancer, the listeners, the stamp. A
 * change takes the same way: new parts, then the listeners move over, then the old parts go; so at no
 * moment does a listener point nowhere. The stamp (generation, hash, shape) comes last and alone.
 */
export const planServe = (settings: AwsNlbSettings, desired: DesiredResource, view: View): Plan => {
  const stopped = whyNot(desired, view)
  if (stopped !== undefined) return stopped
  const making: Making = { settings, desired, view, wish: wishOf(desired, settings) }
  for (const phase of [clearTheWay, makeParts, fitParts, stamp]) {
    const planned = phase(making)
    if (planned.length > 0) return { status: 'steps', steps: planned.map(asStep(desired)) }
  }
  return { status: 'steps', steps: [] }
}

const asStep =
  ({ marks }: DesiredResource) =>
  ([title, call, settingUp, discards]: Planned): Step => {
    const data: StepCall =
      settingUp === undefined ? { ...call, marks } : { ...call, marks, settingUp }
    const step = { title, tenant: marks.tenant, call: data }
    return discards === undefined ? step : { ...step, discards }
  }

const whyNot = (desired: DesiredResource, view: View): Plan | undefined => {
  const refusal = findRefusal(desired)
  if (refusal !== undefined) return refusal
  const [foreign] = view.foreign
  if (foreign !== undefined) {
    const problem = `${foreign} is in the way and carries other marks; it is not touched`
    return { status: 'refused', capability: 'ownership', problem }
  }
  if (view.newer !== null) return { status: 'superseded', ...view.newer }
  const tags = view.loadBalancer?.tags
  if (tags === undefined) return undefined
  const [generation, done] = [generationOf(tags), stampOf(tags)]
  const clash = generation === desired.generation && done !== null
  if (generation > desired.generation || (clash && done.hash !== desiredHash(desired))) {
    return { status: 'superseded', epoch: desired.marks.epoch, generation }
  }
  return undefined
}

/** A load balancer that AWS could not set up never will be. */
const clearTheWay = ({ view }: Making): readonly Planned[] => {
  const balancer = view.loadBalancer
  if (balancer?.state !== 'failed') return []
  const input = { LoadBalancerArn: balancer.arn }
  const discards = { ref: balancer.arn, why: 'AWS could not set it up (failed)' }
  const call: AwsCall = { action: 'DeleteLoadBalancer', input }
  return [[`delete load balancer ${balancer.name}`, call, undefined, discards]]
}

const tagsFor = ({ desired }: Making, role: Role): Tag[] =>
  marksAsTags(desired.marks, role, desired.generation)

/** What needs no id of anything else. */
const makeParts = (making: Making): readonly Planned[] => {
  const { view, wish, settings, desired } = making
  const planned: Planned[] = []
  if (view.securityGroup === null) {
    const name = securityGroupName(desired.marks)
    const input = {
      GroupName: name,
      Description: 'made by weir for a load balancer; see its tags',
      VpcId: settings.vpcId,
      TagSpecifications: [
        { ResourceType: 'security-group' as const, Tags: tagsFor(making, 'security-group') },
      ],
    }
    planned.push([`create security group ${name}`, { action: 'CreateSecurityGroup', input }])
  }
  const lacking = view.loadBalancer === null ? addressesFor(settings) - view.addresses.length : 0
  for (let count = 0; count < lacking; count += 1) {
    const input = {
      Domain: 'vpc' as const,
      TagSpecifications: [
        { ResourceType: 'elastic-ip' as const, Tags: tagsFor(making, 'elastic-ip') },
      ],
    }
    planned.push(['allocate an elastic IP', { action: 'AllocateAddress', input }])
  }
  const present = new Set(view.targetGroups.map(({ name }) => name))
  for (const { groupName, protocol, nodePort, healthPort, healthPath } of wish.listeners) {
    if (present.has(groupName)) continue
    const input = {
      Name: groupName,
      Protocol: protocol,
      Port: nodePort,
      VpcId: settings.vpcId,
      TargetType: 'instance' as const,
      HealthCheckProtocol: 'HTTP' as const,
      HealthCheckPort: healthPort,
      HealthCheckPath: healthPath,
      HealthCheckIntervalSeconds: settings.healthCheckIntervalSeconds,
      HealthyThresholdCount: 2,
      UnhealthyThresholdCount: 2,
      Matcher: { HttpCode: '200-399' },
      Tags: tagsFor(making, 'target-group'),
    }
    planned.push([`create target group ${groupName}`, { action: 'CreateTargetGroup', input }])
  }
  return planned
}

const addressesFor = ({ elasticIps, scheme, subnetIds }: AwsNlbSettings): number =>
  elasticIps && scheme === 'internet-facing' ? subnetIds.length : 0

/** Everything has its id: opens, fills, connects; and only then closes and takes away. */
const fitParts = (making: Making): readonly Planned[] => {
  const targets = planTargets(making)
  const rules = planRules(making)
  const balancer = making.view.loadBalancer
  const connect = balancer === null ? makeBalancer(making) : fitBalancer(making, balancer)
  const leave = balancer === null ? [] : clearUp(making, balancer)
  return [...targets.fit, ...rules.open, ...connect, ...targets.leave, ...rules.close, ...leave]
}

const makeBalancer = (making: Making): readonly Planned[] => {
  const { settings, desired, view } = making
  const name = loadBalancerName(desired.marks)
  const addresses = [...view.addresses].map(({ allocationId }) => allocationId).sort()
  const subnets =
    addressesFor(settings) === 0
      ? { Subnets: [...settings.subnetIds] }
      : {
          SubnetMappings: settings.subnetIds.map((SubnetId, index) => ({
            SubnetId,
            AllocationId: addresses[index],
          })),
        }
  const input = {
    Name: name,
    Type: 'network' as const,
    Scheme: settings.scheme,
    IpAddressType: 'ipv4' as const,
    ...subnets,
    SecurityGroups: securityGroupsFor(making),
    Tags: tagsFor(making, 'load-balancer'),
  }
  return [[`create load balancer ${name}`, { action: 'CreateLoadBalancer', input }]]
}

const securityGroupsFor = ({ settings, view }: Making): string[] => [
  ...(view.securityGroup === null ? [] : [view.securityGroup.id]),
  ...settings.sharedSecurityGroupIds,
]

const fitBalancer = (making: Making, balancer: SeenLoadBalancer): readonly Planned[] => {
  const { settings, view, wish } = making
  const planned: Planned[] = []
  const LoadBalancerArn = balancer.arn
  const groups = securityGroupsFor(making)
  if ([...balancer.securityGroups].sort().join() !== [...groups].sort().join()) {
    const input = { LoadBalancerArn, SecurityGroups: groups }
    planned.push([
      `set security groups of ${balancer.name}`,
      { action: 'SetSecurityGroups', input },
    ])
  }
  if (balancer.crossZone !== settings.crossZone) {
    const Value = String(settings.crossZone)
    const Attributes = [{ Key: 'load_balancing.cross_zone.enabled', Value }]
    const input = { LoadBalancerArn, Attributes }
    const title = `set cross-zone of ${balancer.name} to ${Value}`
    planned.push([title, { action: 'ModifyLoadBalancerAttributes', input }])
  }
  for (const { port, protocol, groupName } of wish.listeners) {
    const group = view.targetGroups.find(({ name }) => name === groupName)
    if (group === undefined) continue
    const DefaultActions = [{ Type: 'forward' as const, TargetGroupArn: group.arn }]
    const there = listenerAt(balancer, port)
    const title = `${protocol}/${port} of ${balancer.name} to ${groupName}`
    if (there === undefined) {
      const Tags = tagsFor(making, 'listener')
      const input = { LoadBalancerArn, Protocol: protocol, Port: port, DefaultActions, Tags }
      planned.push([`listen on ${title}`, { action: 'CreateListener', input }])
    } else if (there.protocol !== protocol || there.targetGroupArn !== group.arn) {
      const Protocol = there.protocol === protocol ? {} : { Protocol: protocol }
      const input = { ListenerArn: there.arn, ...Protocol, DefaultActions }
      planned.push([`switch ${title}`, { action: 'ModifyListener', input }])
    }
  }
  return planned
}

/** The one that is kept on a port. AWS allows no second; what stands for AWS may. */
const listenerAt = (balancer: SeenLoadBalancer, port: number): SeenListener | undefined =>
  balancer.listeners.find((listener) => listener.port === port)

/** What nobody wishes any more: listeners, then the target groups that they let go of. */
const clearUp = ({ view, wish, settings }: Making, balancer: SeenLoadBalancer): Planned[] => {
  const ports = new Set(wish.listeners.map(({ port }) => port))
  const names = new Set(wish.listeners.map(({ groupName }) => groupName))
  const listeners = balancer.listeners.filter(
    ({ arn, port }) => !ports.has(port) || listenerAt(balancer, port)?.arn !== arn,
  )
  const groups = view.targetGroups.filter(({ name }) => !names.has(name))
  // While AWS sets the load balancer up, an address that it will use does not show as used.
  const spare =
    balancer.state === 'provisioning' || addressesFor(settings) > usedOf(view)
      ? []
      : view.addresses.filter(({ associated }) => !associated)
  return [
    ...listeners.map(({ arn, port, protocol }): Planned => [
      `stop listening on ${protocol}/${port} of ${balancer.name}`,
      { action: 'DeleteListener', input: { ListenerArn: arn } },
    ]),
    ...groups.map(({ arn, name }): Planned => [
      `delete target group ${name}`,
      { action: 'DeleteTargetGroup', input: { TargetGroupArn: arn } },
    ]),
    ...spare.map(({ allocationId, ip }): Planned => [
      `release elastic IP ${ip}`,
      { action: 'ReleaseAddress', input: { AllocationId: allocationId } },
    ]),
  ]
}

const usedOf = (view: View): number => view.addresses.filter((at) => at.associated).length

/** Tags are added, never replaced, so those of others stay. */
const stamp = ({ desired, view, wish }: Making): readonly Planned[] => {
  const balancer = view.loadBalancer
  if (balancer === null) return []
  const leftOut = wish.leftOut.slice(0, 5).join(' ').slice(0, 256)
  const wanted = [
    { Key: tagKey.generation, Value: String(desired.generation) },
    { Key: tagKey.hash, Value: `${desiredHash(desired)} ${shapeOf(view)}` },
    ...(leftOut === '' && !balancer.tags.has(tagKey.leftOut)
      ? []
      : [{ Key: tagKey.leftOut, Value: leftOut }]),
  ]
  if (wanted.every(({ Key, Value }) => (balancer.tags.get(Key) ?? '') === Value)) return []
  const input = { ResourceArns: [balancer.arn], Tags: wanted }
  const settingUp = balancer.state === 'provisioning' ? balancer.arn : undefined
  const title = `mark ${balancer.name} as generation ${desired.generation}`
  return [[title, { action: 'AddTags', input }, settingUp]]
}
