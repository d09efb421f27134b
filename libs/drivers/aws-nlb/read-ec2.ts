import type { Address, Filter, Instance, SecurityGroup } from '@aws-sdk/client-ec2'
import type { OwnershipMarks } from '@weir/contract'
import { securityGroupName } from './names.ts'
import { must, read, readAll, type Reader } from './reading.ts'
import { readTags, tagKey, type Tags } from './tags.ts'
import type { Rule, SeenAddress, SeenSecurityGroup } from './view.ts'

export interface FoundSecurityGroup {
  readonly seen: SeenSecurityGroup
  readonly tags: Tags
  /** Whether it has the name of the marks that were asked for. */
  readonly named: boolean
}

export interface FoundAddress {
  readonly seen: SeenAddress
  readonly tags: Tags
}

/** By tags, of every incarnation of one owner's resource. */
const byKey = ({ installation, key }: OwnershipMarks): Filter[] => [
  { Name: `tag:${tagKey.installation}`, Values: [installation] },
  { Name: `tag:${tagKey.key}`, Values: [key] },
]

/**
 * By tags; and by name where those show none: a group whose tags somebody took away, or one of others
 * with our name, would be in our way unseen.
 */
export const readSecurityGroups = async (
  reader: Reader,
  marks: OwnershipMarks,
): Promise<readonly FoundSecurityGroup[]> => {
  const name = securityGroupName(marks)
  const tagged = await listSecurityGroups(reader, byKey(marks))
  const named = tagged.some(({ GroupName }) => GroupName === name)
    ? []
    : await listSecurityGroups(reader, [{ Name: 'group-name', Values: [name] }])
  const byId = new Map(
    [...tagged, ...named].map((group) => [must(group.GroupId, 'GroupId'), group]),
  )
  return [...byId].map(([id, group]) => ({
    seen: { id, rules: rulesOf(group) },
    tags: readTags(group.Tags),
    named: group.GroupName === name,
  }))
}

const listSecurityGroups = async (
  reader: Reader,
  Filters: Filter[],
): Promise<readonly SecurityGroup[]> =>
  readAll(async (next) => {
    const page = await read(reader, 'list security groups', ({ ec2 }) =>
      ec2.describeSecurityGroups({ Filters, ...pageAt(next) }),
    )
    return { items: page.SecurityGroups ?? [], next: page.NextToken }
  })

const pageAt = (next: string | undefined): { MaxResults: number; NextToken?: string } =>
  next === undefined ? { MaxResults: 500 } : { MaxResults: 500, NextToken: next }

const rulesOf = ({ IpPermissions = [] }: SecurityGroup): readonly Rule[] =>
  IpPermissions.flatMap(({ IpProtocol = '-1', FromPort = -1, ToPort = -1, IpRanges, Ipv6Ranges }) =>
    [
      ...(IpRanges ?? []).map(({ CidrIp }) => must(CidrIp, 'CidrIp')),
      ...(Ipv6Ranges ?? []).map(({ CidrIpv6 }) => must(CidrIpv6, 'CidrIpv6')),
    ].map((cidr) => ({ protocol: IpProtocol, fromPort: FromPort, toPort: ToPort, cidr })),
  )

export const readAddresses = async (
  reader: Reader,
  marks: OwnershipMarks,
): Promise<readonly FoundAddress[]> => {
  const answer = await read(reader, 'list elastic IPs', ({ ec2 }) =>
    ec2.describeAddresses({ Filters: byKey(marks) }),
  )
  return (answer.Addresses ?? []).map(addressOf)
}

export const addressOf = (address: Address): FoundAddress => ({
  seen: {
    allocationId: must(address.AllocationId, 'AllocationId'),
    ip: address.PublicIp ?? '',
    associated: address.AssociationId !== undefined,
  },
  tags: readTags(address.Tags),
})

/** The private addresses of instances in a VPC, by id; what is not there is not in the answer. */
export const readInstanceAddresses = async (
  reader: Reader,
  vpcId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> => {
  const Filters: Filter[] = [
    { Name: 'instance-id', Values: [...ids] },
    { Name: 'vpc-id', Values: [vpcId] },
  ]
  const reservations = await readAll(async (next) => {
    const page = await read(reader, 'list instances', ({ ec2 }) =>
      ec2.describeInstances({ Filters, ...pageAt(next) }),
    )
    return { items: page.Reservations ?? [], next: page.NextToken }
  })
  const instances = reservations.flatMap(({ Instances = [] }) => Instances)
  return new Map(
    instances.map((instance) => [must(instance.InstanceId, 'InstanceId'), addressesOf(instance)]),
  )
}

const addressesOf = ({
  PrivateIpAddress,
  NetworkInterfaces = [],
}: Instance): ReadonlySet<string> => {
  const all = NetworkInterfaces.flatMap(({ PrivateIpAddresses = [] }) =>
    PrivateIpAddresses.map((at) => at.PrivateIpAddress),
  )
  return new Set([PrivateIpAddress, ...all].filter((ip) => ip !== undefined))
}
