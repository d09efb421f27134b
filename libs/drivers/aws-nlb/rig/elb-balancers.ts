// Load balancers and tags, as the API reference 2015-12-01 and its SDK comments say they behave.
import { z } from 'zod'
import { count, list, pageOf, parseParams, tag } from './params.ts'
import type { Answer, Params } from './query.ts'
import {
  balancerState,
  checkName,
  checkTags,
  refuse,
  settingsOf,
  tagList,
  type Balancer,
  type Scene,
} from './world.ts'

const createParams = z.strictObject({
  Name: z.string(),
  Type: z.literal('network'),
  Scheme: z.enum(['internet-facing', 'internal']).default('internet-facing'),
  IpAddressType: z.literal('ipv4').default('ipv4'),
  Subnets: list(z.string()).optional(),
  SubnetMappings: list(
    z.strictObject({ SubnetId: z.string(), AllocationId: z.string().optional() }),
  ).optional(),
  SecurityGroups: list(z.string()).default([]),
  Tags: list(tag).optional(),
})

/**
 * "This operation is idempotent, which means that it completes at most one time. If you attempt to
 * create multiple load balancers with the same settings, each call succeeds." Names are unique per
 * account and region; tags count as settings here.
 */
export const createLoadBalancer = (scene: Scene, params: Params): Answer => {
  const input = parseParams(createParams, params)
  const { state, behaviour } = scene
  checkName(input.Name)
  const tags = checkTags(input.Tags)
  const same = [...state.balancers.values()].find(({ name }) => name === input.Name)
  const createdWith = settingsOf(input)
  if (same !== undefined) {
    if (same.createdWith === createdWith) return { LoadBalancers: [describeOne(scene, same)] }
    const problem = `A load balancer with the same name '${input.Name}' exists, but with different settings`
    refuse('DuplicateLoadBalancerName', problem)
  }
  if (state.balancers.size >= behaviour.limits.balancers) {
    refuse('TooManyLoadBalancers', 'The maximum number of load balancers has been reached')
  }
  const subnets = checkSubnets(scene, input)
  checkSecurityGroups(scene, input.SecurityGroups)
  const { account, region, vpcId } = scene.premises
  const id = scene.fresh(16)
  const balancer: Balancer = {
    arn: `arn:aws:elasticloadbalancing:${region}:${account}:loadbalancer/net/${input.Name}/${id}`,
    name: input.Name,
    dnsName: `${input.Name}-${id}.elb.${region}.amazonaws.com`,
    scheme: input.Scheme,
    vpcId,
    subnets,
    securityGroups: input.SecurityGroups,
    createdAt: scene.now,
    readyAt: scene.now + behaviour.provisioningMs,
    fails: scene.nextFails(),
    attributes: new Map([
      ['load_balancing.cross_zone.enabled', 'false'],
      ['deletion_protection.enabled', 'false'],
    ]),
    tags,
    createdWith,
  }
  state.balancers.set(balancer.arn, balancer)
  return { LoadBalancers: [describeOne(scene, balancer)] }
}

const checkSubnets = (
  { state, premises }: Scene,
  input: z.infer<typeof createParams>,
): Balancer['subnets'] => {
  if ((input.Subnets === undefined) === (input.SubnetMappings === undefined)) {
    refuse('ValidationError', 'You must specify either subnets or subnet mappings, but not both')
  }
  const mappings: readonly {
    readonly SubnetId: string
    readonly AllocationId?: string | undefined
  }[] = input.SubnetMappings ?? (input.Subnets ?? []).map((SubnetId) => ({ SubnetId }))
  const zones = mappings.map(({ SubnetId }) => {
    const zone = premises.subnets.get(SubnetId)
    return zone ?? refuse('SubnetNotFound', `The subnet ID '${SubnetId}' does not exist`)
  })
  if (new Set(zones).size !== zones.length) {
    refuse('InvalidConfigurationRequest', 'A load balancer has one subnet per Availability Zone')
  }
  return mappings.map(({ SubnetId: subnetId, AllocationId: allocationId }) => {
    if (allocationId === undefined) return { subnetId }
    if (!state.addresses.has(allocationId)) {
      refuse('AllocationIdNotFound', `The allocation ID '${allocationId}' does not exist`)
    }
    if (input.Scheme === 'internal') {
      refuse('InvalidConfigurationRequest', 'Internal load balancers have no Elastic IP addresses')
    }
    if (holderOf(state.balancers, allocationId) !== undefined) {
      refuse('ResourceInUse', `'${allocationId}' is in use`)
    }
    return { subnetId, allocationId }
  })
}

/** The load balancer that an elastic IP belongs to. */
export const holderOf = (
  balancers: ReadonlyMap<string, Balancer>,
  allocationId: string,
): Balancer | undefined =>
  [...balancers.values()].find(({ subnets }) =>
    subnets.some((subnet) => subnet.allocationId === allocationId),
  )

const checkSecurityGroups = ({ state, premises }: Scene, ids: readonly string[]): void => {
  if (ids.length > 5) refuse('InvalidConfigurationRequest', 'five security groups at most')
  for (const id of ids) {
    if (state.securityGroups.get(id)?.vpcId !== premises.vpcId) {
      refuse('InvalidSecurityGroup', `One or more security groups are invalid: ${id}`)
    }
  }
}

const describeOne = ({ now, premises }: Scene, balancer: Balancer): Answer => ({
  LoadBalancerArn: balancer.arn,
  LoadBalancerName: balancer.name,
  DNSName: balancer.dnsName,
  Scheme: balancer.scheme,
  VpcId: balancer.vpcId,
  Type: 'network',
  IpAddressType: 'ipv4',
  CreatedTime: new Date(balancer.createdAt),
  State: {
    Code: balancerState(balancer, now),
    Reason: balancerState(balancer, now) === 'failed' ? 'insufficient addresses' : undefined,
  },
  SecurityGroups: [...balancer.securityGroups],
  AvailabilityZones: balancer.subnets.map(({ subnetId, allocationId }) => ({
    SubnetId: subnetId,
    ZoneName: premises.subnets.get(subnetId),
    LoadBalancerAddresses: allocationId === undefined ? [] : [{ AllocationId: allocationId }],
  })),
})

const one = z.strictObject({ LoadBalancerArn: z.string() })

export const balancerAt = ({ state }: Scene, arn: string): Balancer =>
  state.balancers.get(arn) ??
  refuse('LoadBalancerNotFound', `One or more load balancers not found: ${arn}`)

/** "If the load balancer does not exist or has already been deleted, the call succeeds." */
export const deleteLoadBalancer = (scene: Scene, params: Params): Answer => {
  const { LoadBalancerArn: arn } = parseParams(one, params)
  const { state, behaviour, now } = scene
  const balancer = state.balancers.get(arn)
  if (balancer === undefined) return {}
  if (balancer.attributes.get('deletion_protection.enabled') === 'true') {
    refuse('OperationNotPermitted', `'${arn}' cannot be deleted: deletion protection is enabled`)
  }
  const listeners = [...state.listeners.values()].filter(({ balancerArn }) => balancerArn === arn)
  state.lingering.push({
    until: now + behaviour.lingerMs,
    securityGroups: balancer.securityGroups,
    allocationIds: balancer.subnets.flatMap(({ allocationId }) => allocationId ?? []),
    groupArns: listeners.map(({ groupArn }) => groupArn),
  })
  for (const listener of listeners) state.listeners.delete(listener.arn)
  state.balancers.delete(arn)
  return {}
}

const describeParams = z.strictObject({
  LoadBalancerArns: list(z.string()).max(20).optional(),
  Names: list(z.string()).max(20).optional(),
  Marker: z.string().optional(),
  PageSize: count(1, 400).default(400),
})

export const describeLoadBalancers = (scene: Scene, params: Params): Answer => {
  const input = parseParams(describeParams, params)
  const all = [...scene.state.balancers.values()]
  if (input.LoadBalancerArns !== undefined && input.Names !== undefined) {
    refuse('ValidationError', 'Load balancer names and ARNs cannot be specified together')
  }
  const named = input.Names?.map(
    (name) =>
      all.find((balancer) => balancer.name === name) ??
      refuse('LoadBalancerNotFound', `Load balancers '[${name}]' not found`),
  )
  const chosen = input.LoadBalancerArns?.map((arn) => balancerAt(scene, arn)) ?? named ?? all
  const { items, next } = pageOf(chosen, input.PageSize, input.Marker)
  return { LoadBalancers: items.map((each) => describeOne(scene, each)), NextMarker: next }
}

export const describeLoadBalancerAttributes = (scene: Scene, params: Params): Answer => {
  const balancer = balancerAt(scene, parseParams(one, params).LoadBalancerArn)
  return { Attributes: tagList(balancer.attributes).map((each) => ({ ...each })) }
}

const modifyParams = one.extend({ Attributes: list(tag).min(1).max(20) })

export const modifyLoadBalancerAttributes = (scene: Scene, params: Params): Answer => {
  const { LoadBalancerArn: arn, Attributes } = parseParams(modifyParams, params)
  const balancer = balancerAt(scene, arn)
  for (const { Key, Value } of Attributes) {
    if (!balancer.attributes.has(Key) || !/^(true|false)$/.test(Value)) {
      refuse('InvalidConfigurationRequest', `${Key}=${Value} is not valid`)
    }
    balancer.attributes.set(Key, Value)
  }
  return { Attributes: tagList(balancer.attributes).map((each) => ({ ...each })) }
}

const setGroupsParams = one.extend({ SecurityGroups: list(z.string()).min(1) })

/** Only for a load balancer that was made with a security group. */
export const setSecurityGroups = (scene: Scene, params: Params): Answer => {
  const { LoadBalancerArn: arn, SecurityGroups } = parseParams(setGroupsParams, params)
  const balancer = balancerAt(scene, arn)
  if (balancer.securityGroups.length === 0) {
    refuse('InvalidConfigurationRequest', 'the load balancer was created without security groups')
  }
  checkSecurityGroups(scene, SecurityGroups)
  balancer.securityGroups = SecurityGroups
  return { SecurityGroupIds: SecurityGroups }
}

const describeTagsParams = z.strictObject({ ResourceArns: list(z.string()).min(1).max(20) })

const tagsAt = ({ state }: Scene, arn: string): Map<string, string> => {
  const known = state.balancers.get(arn) ?? state.groups.get(arn) ?? state.listeners.get(arn)
  if (known !== undefined) return known.tags
  if (arn.includes(':targetgroup/')) return refuse('TargetGroupNotFound', `${arn} not found`)
  if (arn.includes(':listener/')) return refuse('ListenerNotFound', `${arn} not found`)
  return refuse('LoadBalancerNotFound', `${arn} not found`)
}

/** "You can specify up to 20 resources in a single call." One that is missing fails the call. */
export const describeTags = (scene: Scene, params: Params): Answer => ({
  TagDescriptions: parseParams(describeTagsParams, params).ResourceArns.map((ResourceArn) => ({
    ResourceArn,
    Tags: tagList(tagsAt(scene, ResourceArn)).map((each) => ({ ...each })),
  })),
})

const addTagsParams = describeTagsParams.extend({ Tags: list(tag).min(1) })

/** "If a resource already has a tag with the same key, AddTags updates its value." Others stay. */
export const addTags = (scene: Scene, params: Params): Answer => {
  const { ResourceArns, Tags } = parseParams(addTagsParams, params)
  const added = checkTags(Tags)
  const all = ResourceArns.map((arn) => tagsAt(scene, arn))
  for (const tags of all) checkTags(tagList(new Map([...tags, ...added])))
  for (const tags of all) for (const [key, value] of added) tags.set(key, value)
  return {}
}
