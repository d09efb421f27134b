// Security groups, elastic IPs and subnets, as the EC2 API reference 2016-11-15 says they behave.
import { z } from 'zod'
import { holderOf } from './elb-balancers.ts'
import { count, filter, list, pageOf, parseParams, tag } from './params.ts'
import type { Answer, Params } from './query.ts'
import { checkTags, refuse, tagList, type Scene, type SecurityGroup } from './world.ts'

const tagsFor = (kind: string) =>
  list(z.strictObject({ ResourceType: z.literal(kind), Tag: list(tag) }))
    .max(1)
    .optional()

const tagSet = (tags: ReadonlyMap<string, string>): Answer[] =>
  tagList(tags).map(({ Key, Value }) => ({ key: Key, value: Value }))

const createGroupParams = z.strictObject({
  GroupName: z.string().min(1).max(255),
  GroupDescription: z.string().min(1).max(255),
  VpcId: z.string(),
  TagSpecification: tagsFor('security-group'),
})

/** Names are unique per VPC; not idempotent: the second call is refused whatever it asks. */
export const createSecurityGroup = (scene: Scene, params: Params): Answer => {
  const input = parseParams(createGroupParams, params)
  const { state, premises } = scene
  const tags = checkTags(input.TagSpecification?.[0]?.Tag)
  if (input.VpcId !== premises.vpcId) {
    refuse('InvalidVpcID.NotFound', `The vpc ID '${input.VpcId}' does not exist`)
  }
  if (input.GroupName.startsWith('sg-')) refuse('InvalidParameterValue', 'a name is no id')
  if ([...state.securityGroups.values()].some(({ name }) => name === input.GroupName)) {
    refuse('InvalidGroup.Duplicate', `The security group '${input.GroupName}' already exists`)
  }
  const id = `sg-${scene.fresh(17)}`
  state.securityGroups.set(id, {
    id,
    name: input.GroupName,
    description: input.GroupDescription,
    vpcId: input.VpcId,
    rules: new Set(),
    tags,
  })
  return { groupId: id, tagSet: tagSet(tags) }
}

const groupParams = z.strictObject({ GroupId: z.string() })

const groupAt = ({ state }: Scene, id: string): SecurityGroup => {
  if (!/^sg-[0-9a-f]+$/.test(id)) refuse('InvalidGroupId.Malformed', `Invalid id: "${id}"`)
  return (
    state.securityGroups.get(id) ??
    refuse('InvalidGroup.NotFound', `The security group '${id}' does not exist`)
  )
}

/** "If you attempt to delete a group that is associated with a network interface": DependencyViolation. */
export const deleteSecurityGroup = (scene: Scene, params: Params): Answer => {
  const group = groupAt(scene, parseParams(groupParams, params).GroupId)
  const { state } = scene
  const used =
    [...state.balancers.values()].some((each) => each.securityGroups.includes(group.id)) ||
    state.lingering.some((each) => each.securityGroups.includes(group.id))
  if (used) refuse('DependencyViolation', `resource ${group.id} has a dependent object`)
  state.securityGroups.delete(group.id)
  return { return: true }
}

const permission = z.strictObject({
  IpProtocol: z.enum(['tcp', 'udp']),
  FromPort: count(0, 65_535),
  ToPort: count(0, 65_535),
  IpRanges: list(z.strictObject({ CidrIp: z.string().regex(/^[\d.]+\/\d+$/) })).default([]),
  Ipv6Ranges: list(z.strictObject({ CidrIpv6: z.string().includes(':').includes('/') })).default(
    [],
  ),
})
const rulesParams = groupParams.extend({ IpPermissions: list(permission).min(1) })

const rulesIn = (permissions: readonly z.infer<typeof permission>[]): readonly string[] =>
  permissions.flatMap(({ IpProtocol, FromPort, ToPort, IpRanges, Ipv6Ranges }) =>
    [...IpRanges.map(({ CidrIp }) => CidrIp), ...Ipv6Ranges.map(({ CidrIpv6 }) => CidrIpv6)].map(
      (cidr) => `${IpProtocol}/${FromPort}-${ToPort} ${cidr}`,
    ),
  )

/** All or nothing: one rule that is there already refuses the call. */
export const authorizeIngress = (scene: Scene, params: Params): Answer => {
  const input = parseParams(rulesParams, params)
  const group = groupAt(scene, input.GroupId)
  const rules = rulesIn(input.IpPermissions)
  const twice = rules.find((rule) => group.rules.has(rule))
  if (twice !== undefined || new Set(rules).size !== rules.length) {
    refuse('InvalidPermission.Duplicate', `the specified rule "${twice}" already exists`)
  }
  if (group.rules.size + rules.length > scene.behaviour.limits.rulesPerSecurityGroup) {
    refuse('RulesPerSecurityGroupLimitExceeded', 'The maximum number of rules has been reached')
  }
  for (const rule of rules) group.rules.add(rule)
  return { return: true }
}

/** "For a non-default VPC": one rule that is not there refuses the call. */
export const revokeIngress = (scene: Scene, params: Params): Answer => {
  const input = parseParams(rulesParams, params)
  const group = groupAt(scene, input.GroupId)
  const rules = rulesIn(input.IpPermissions)
  const missing = rules.find((rule) => !group.rules.has(rule))
  if (missing !== undefined) {
    refuse('InvalidPermission.NotFound', `The specified rule does not exist: ${missing}`)
  }
  for (const rule of rules) group.rules.delete(rule)
  return { return: true }
}

type Filters = readonly z.infer<typeof filter>[]

const matches = (
  filters: Filters | undefined,
  thing: { readonly name?: string; readonly tags: ReadonlyMap<string, string> },
): boolean =>
  (filters ?? []).every(({ Name, Value }) => {
    if (Name.startsWith('tag:')) return Value.includes(thing.tags.get(Name.slice(4)) ?? '\0')
    if (Name === 'tag-key') return Value.some((key) => thing.tags.has(key))
    if (Name === 'group-name') return Value.includes(thing.name ?? '\0')
    return refuse('InvalidParameterValue', `The filter '${Name}' is invalid`)
  })

const describeGroupsParams = z.strictObject({
  Filter: list(filter).optional(),
  GroupId: list(z.string()).optional(),
  MaxResults: count(5, 1000).default(1000),
  NextToken: z.string().optional(),
})

export const describeSecurityGroups = (scene: Scene, params: Params): Answer => {
  const input = parseParams(describeGroupsParams, params)
  const chosen = input.GroupId?.map((id) => groupAt(scene, id))
  const all = (chosen ?? [...scene.state.securityGroups.values()]).filter((group) =>
    matches(input.Filter, group),
  )
  const { items, next } = pageOf(all, input.MaxResults, input.NextToken)
  return { securityGroupInfo: items.map(describeGroup), nextToken: next }
}

const describeGroup = (group: SecurityGroup): Answer => ({
  groupId: group.id,
  groupName: group.name,
  groupDescription: group.description,
  vpcId: group.vpcId,
  tagSet: tagSet(group.tags),
  ipPermissions: [...group.rules].map((rule) => {
    const [, protocol = '', from = '', to = '', cidr = ''] =
      /^(\w+)\/(\d+)-(\d+) (\S+)$/.exec(rule) ?? []
    return {
      ipProtocol: protocol,
      fromPort: from,
      toPort: to,
      ipRanges: cidr.includes(':') ? [] : [{ cidrIp: cidr }],
      ipv6Ranges: cidr.includes(':') ? [{ cidrIpv6: cidr }] : [],
    }
  }),
})

const allocateParams = z.strictObject({
  Domain: z.literal('vpc'),
  TagSpecification: tagsFor('elastic-ip'),
})

/** Not idempotent, and there is no token to make it so: each call gives one more. */
export const allocateAddress = (scene: Scene, params: Params): Answer => {
  const input = parseParams(allocateParams, params)
  const { state, behaviour } = scene
  const tags = checkTags(input.TagSpecification?.[0]?.Tag)
  if (state.addresses.size >= behaviour.limits.addresses) {
    refuse('AddressLimitExceeded', 'The maximum number of addresses has been reached')
  }
  const allocationId = `eipalloc-${scene.fresh(17)}`
  const number = state.addresses.size
  const ip = `203.0.113.${number % 256}`
  state.addresses.set(allocationId, { allocationId, ip, tags })
  return { allocationId, publicIp: ip, domain: 'vpc' }
}

const holds = ({ state }: Scene, allocationId: string): boolean =>
  holderOf(state.balancers, allocationId) !== undefined ||
  state.lingering.some((each) => each.allocationIds.includes(allocationId))

export const releaseAddress = (scene: Scene, params: Params): Answer => {
  const { AllocationId } = parseParams(z.strictObject({ AllocationId: z.string() }), params)
  if (!scene.state.addresses.has(AllocationId)) {
    refuse('InvalidAllocationID.NotFound', `The allocation ID '${AllocationId}' does not exist`)
  }
  if (holds(scene, AllocationId)) {
    refuse('InvalidIPAddress.InUse', `The address with allocation id ${AllocationId} is in use`)
  }
  scene.state.addresses.delete(AllocationId)
  return { return: true }
}

const describeAddressesParams = z.strictObject({
  Filter: list(filter).optional(),
  AllocationId: list(z.string()).optional(),
})

export const describeAddresses = (scene: Scene, params: Params): Answer => {
  const input = parseParams(describeAddressesParams, params)
  const { addresses } = scene.state
  const chosen = input.AllocationId?.map(
    (id) =>
      addresses.get(id) ??
      refuse('InvalidAllocationID.NotFound', `The allocation ID '${id}' does not exist`),
  )
  const all = (chosen ?? [...addresses.values()]).filter((each) => matches(input.Filter, each))
  return {
    addressesSet: all.map(({ allocationId, ip, tags }) => ({
      allocationId,
      publicIp: ip,
      domain: 'vpc',
      associationId: holds(scene, allocationId) ? `eipassoc-${allocationId.slice(9)}` : undefined,
      tagSet: tagSet(tags),
    })),
  }
}

const subnetsParams = z.strictObject({ SubnetId: list(z.string()).min(1) })

export const describeSubnets = (scene: Scene, params: Params): Answer => ({
  subnetSet: parseParams(subnetsParams, params).SubnetId.map((id) => {
    const zone = scene.premises.subnets.get(id)
    if (zone === undefined) {
      refuse('InvalidSubnetID.NotFound', `The subnet ID '${id}' does not exist`)
    }
    return { subnetId: id, vpcId: scene.premises.vpcId, availabilityZone: zone, state: 'available' }
  }),
})

const instancesParams = z.strictObject({
  Filter: list(filter).min(1),
  MaxResults: count(5, 1000),
  NextToken: z.string().optional(),
})

/** With filters, what does not match is left out; by ids, one that is unknown would refuse the call. */
export const describeInstances = ({ premises }: Scene, params: Params): Answer => {
  const input = parseParams(instancesParams, params)
  const values = (name: string) => input.Filter.find(({ Name }) => Name === name)?.Value
  const alien = input.Filter.find(({ Name }) => Name !== 'instance-id' && Name !== 'vpc-id')
  if (alien !== undefined) refuse('InvalidParameterValue', `The filter '${alien.Name}' is invalid`)
  const here = values('vpc-id')?.includes(premises.vpcId) ?? true
  const all = [...premises.instances].filter(
    ([id]) => here && (values('instance-id')?.includes(id) ?? true),
  )
  const { items, next } = pageOf(all, input.MaxResults, input.NextToken)
  return {
    reservationSet: items.map(([instanceId, privateIpAddress]) => ({
      instancesSet: [{ instanceId, privateIpAddress, vpcId: premises.vpcId }],
    })),
    nextToken: next,
  }
}
