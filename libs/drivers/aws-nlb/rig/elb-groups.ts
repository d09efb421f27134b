// Target groups and targets, as the API reference 2015-12-01 and its SDK comments say they behave.
import { z } from 'zod'
import { count, list, pageOf, parseParams, tag } from './params.ts'
import type { Answer, Params } from './query.ts'
import {
  checkName,
  checkTags,
  refuse,
  settingsOf,
  tagList,
  type Group,
  type Scene,
} from './world.ts'

const protocol = z.enum(['TCP', 'UDP', 'TCP_UDP'])
const path = z.string().startsWith('/').max(1024)
const healthPort = z.union([z.literal('traffic-port'), count(1, 65_535).transform(String)])

const createParams = z.strictObject({
  Name: z.string(),
  Protocol: protocol,
  Port: count(1, 65_535),
  VpcId: z.string(),
  TargetType: z.literal('instance'),
  HealthCheckProtocol: z.enum(['TCP', 'HTTP']).default('TCP'),
  HealthCheckPort: healthPort.default('traffic-port'),
  HealthCheckPath: path.default('/'),
  HealthCheckIntervalSeconds: count(5, 300).default(30),
  HealthyThresholdCount: count(2, 10).default(5),
  UnhealthyThresholdCount: count(2, 10).default(2),
  Matcher: z.strictObject({ HttpCode: z.string().regex(/^\d{3}(-\d{3})?$/) }).optional(),
  Tags: list(tag).optional(),
})

/** Defaults of a group of a network load balancer, from the comment on `TargetGroupAttribute`. */
const attributesOf = (protocol: string): Map<string, string> =>
  new Map([
    ['deregistration_delay.timeout_seconds', '300'],
    ['deregistration_delay.connection_termination.enabled', String(protocol !== 'TCP')],
    ['preserve_client_ip.enabled', 'true'],
    ['proxy_protocol_v2.enabled', 'false'],
    ['stickiness.enabled', 'false'],
    ['stickiness.type', 'source_ip'],
    ['load_balancing.cross_zone.enabled', 'use_load_balancer_configuration'],
  ])

/** Idempotent like `CreateLoadBalancer`: the same name with other settings is refused. */
export const createTargetGroup = (scene: Scene, params: Params): Answer => {
  const input = parseParams(createParams, params)
  const { state, premises, behaviour } = scene
  checkName(input.Name)
  const tags = checkTags(input.Tags)
  const createdWith = settingsOf(input)
  const same = [...state.groups.values()].find(({ name }) => name === input.Name)
  if (same !== undefined) {
    if (same.createdWith === createdWith) return { TargetGroups: [describeOne(scene, same)] }
    const problem = `A target group with the same name '${input.Name}' exists, but with different settings`
    refuse('DuplicateTargetGroupName', problem)
  }
  if (input.VpcId !== premises.vpcId) {
    refuse('ValidationError', `The VPC ID '${input.VpcId}' is not found`)
  }
  if (state.groups.size >= behaviour.limits.groups) {
    refuse('TooManyTargetGroups', 'The maximum number of target groups has been reached')
  }
  const { account, region } = premises
  const group: Group = {
    arn: `arn:aws:elasticloadbalancing:${region}:${account}:targetgroup/${input.Name}/${scene.fresh(16)}`,
    name: input.Name,
    protocol: input.Protocol,
    port: input.Port,
    vpcId: input.VpcId,
    health: {
      protocol: input.HealthCheckProtocol,
      port: input.HealthCheckPort,
      path: input.HealthCheckPath,
      intervalSeconds: input.HealthCheckIntervalSeconds,
      healthyThreshold: input.HealthyThresholdCount,
      unhealthyThreshold: input.UnhealthyThresholdCount,
      matcher: input.Matcher?.HttpCode ?? '200-399',
    },
    attributes: attributesOf(input.Protocol),
    tags,
    targets: new Map(),
    createdWith,
  }
  state.groups.set(group.arn, group)
  return { TargetGroups: [describeOne(scene, group)] }
}

const usersOf = ({ state }: Scene, group: Group) =>
  [...state.listeners.values()].filter(({ groupArn }) => groupArn === group.arn)

const describeOne = (scene: Scene, group: Group): Answer => ({
  TargetGroupArn: group.arn,
  TargetGroupName: group.name,
  Protocol: group.protocol,
  Port: group.port,
  VpcId: group.vpcId,
  TargetType: 'instance',
  IpAddressType: 'ipv4',
  HealthCheckEnabled: true,
  HealthCheckProtocol: group.health.protocol,
  HealthCheckPort: group.health.port,
  HealthCheckPath: group.health.protocol === 'HTTP' ? group.health.path : undefined,
  HealthCheckIntervalSeconds: group.health.intervalSeconds,
  HealthyThresholdCount: group.health.healthyThreshold,
  UnhealthyThresholdCount: group.health.unhealthyThreshold,
  Matcher: { HttpCode: group.health.matcher },
  LoadBalancerArns: [...new Set(usersOf(scene, group).map(({ balancerArn }) => balancerArn))],
})

const one = z.strictObject({ TargetGroupArn: z.string() })

export const groupAt = ({ state }: Scene, arn: string): Group =>
  state.groups.get(arn) ??
  refuse('TargetGroupNotFound', `One or more target groups not found: ${arn}`)

const modifyParams = one.extend({
  HealthCheckPort: healthPort.optional(),
  HealthCheckPath: path.optional(),
  HealthCheckIntervalSeconds: count(5, 300).optional(),
})

export const modifyTargetGroup = (scene: Scene, params: Params): Answer => {
  const input = parseParams(modifyParams, params)
  const group = groupAt(scene, input.TargetGroupArn)
  group.health = {
    ...group.health,
    port: input.HealthCheckPort ?? group.health.port,
    path: input.HealthCheckPath ?? group.health.path,
    intervalSeconds: input.HealthCheckIntervalSeconds ?? group.health.intervalSeconds,
  }
  return { TargetGroups: [describeOne(scene, group)] }
}

/** "You can delete a target group if it is not referenced by any actions." */
export const deleteTargetGroup = (scene: Scene, params: Params): Answer => {
  const { TargetGroupArn: arn } = parseParams(one, params)
  const { state } = scene
  const group = state.groups.get(arn)
  if (group === undefined) return {}
  const used =
    usersOf(scene, group).length > 0 ||
    state.lingering.some(({ groupArns }) => groupArns.includes(arn))
  if (used) {
    refuse('ResourceInUse', `Target group '${arn}' is currently in use by a listener or a rule`)
  }
  state.groups.delete(arn)
  return {}
}

const describeParams = z.strictObject({
  TargetGroupArns: list(z.string()).max(20).optional(),
  Marker: z.string().optional(),
  PageSize: count(1, 400).default(400),
})

export const describeTargetGroups = (scene: Scene, params: Params): Answer => {
  const input = parseParams(describeParams, params)
  const chosen = input.TargetGroupArns?.map((arn) => groupAt(scene, arn))
  const all = chosen ?? [...scene.state.groups.values()]
  const { items, next } = pageOf(all, input.PageSize, input.Marker)
  return { TargetGroups: items.map((each) => describeOne(scene, each)), NextMarker: next }
}

export const describeTargetGroupAttributes = (scene: Scene, params: Params): Answer => {
  const group = groupAt(scene, parseParams(one, params).TargetGroupArn)
  return { Attributes: tagList(group.attributes).map((each) => ({ ...each })) }
}

const attributeParams = one.extend({ Attributes: list(tag).min(1).max(20) })

const allowed: Readonly<Record<string, RegExp>> = {
  'deregistration_delay.timeout_seconds': /^(\d{1,3}|[12]\d{3}|3[0-5]\d{2}|3600)$/,
  'deregistration_delay.connection_termination.enabled': /^(true|false)$/,
  'preserve_client_ip.enabled': /^(true|false)$/,
  'proxy_protocol_v2.enabled': /^(true|false)$/,
  'stickiness.enabled': /^(true|false)$/,
  'stickiness.type': /^source_ip$/,
  'load_balancing.cross_zone.enabled': /^(true|false|use_load_balancer_configuration)$/,
}

export const modifyTargetGroupAttributes = (scene: Scene, params: Params): Answer => {
  const { TargetGroupArn: arn, Attributes } = parseParams(attributeParams, params)
  const group = groupAt(scene, arn)
  for (const { Key, Value } of Attributes) {
    if (allowed[Key] === undefined) refuse('ValidationError', `attribute ${Key} is not recognized`)
    if (allowed[Key]?.test(Value) !== true) {
      refuse('ValidationError', `'${Value}' is no value of attribute ${Key}`)
    }
    // "preserve_client_ip.enabled: ... can't be disabled for UDP and TCP_UDP target groups."
    if (Key === 'preserve_client_ip.enabled' && Value === 'false' && group.protocol !== 'TCP') {
      refuse('InvalidConfigurationRequest', `${Key} cannot be disabled for ${group.protocol}`)
    }
  }
  for (const { Key, Value } of Attributes) group.attributes.set(Key, Value)
  return { Attributes: tagList(group.attributes).map((each) => ({ ...each })) }
}
