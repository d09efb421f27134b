import type { InventoryItem, InventoryPage } from '../driver.ts'
import { addressOf } from './read-ec2.ts'
import { balancerOf, groupOf, type Listed } from './read-elb.ts'
import { must, read, readTagsOf, type Reader } from './reading.ts'
import { generationOf, marksOf, readTags, tagKey, type Tags } from './tags.ts'
import { OperatingError } from '@weir/kernel'

/** AWS lists four kinds of ours apart; a cursor is the kind and AWS's own marker in it. */
const kinds = ['load-balancers', 'target-groups', 'security-groups', 'addresses'] as const
type Kind = (typeof kinds)[number]

/** Five calls of DescribeTags per page. */
const perPage = 100

/**
 * One page of everything in the region that could be ours. Load balancers and target groups are listed
 * whether they carry marks or not; security groups and addresses only with a tag of ours, as every
 * account is full of others that are no business of a load balancer's.
 */
export const listPage = async (reader: Reader, cursor?: string): Promise<InventoryPage> => {
  const { kind, marker } = parseCursor(cursor)
  const { resources, next } = await lists[kind](reader, marker)
  const after = kinds[kinds.indexOf(kind) + 1]
  if (next !== undefined && next !== '') return { resources, next: `${kind} ${next}` }
  return after === undefined ? { resources } : { resources, next: `${after} ` }
}

const parseCursor = (cursor = `${kinds[0]} `): { kind: Kind; marker: string | undefined } => {
  const [first = ''] = cursor.split(' ', 1)
  const kind = kinds.find((known) => known === first)
  if (kind === undefined) throw new OperatingError(`${cursor} is no cursor of this inventory`)
  const marker = cursor.slice(first.length + 1)
  return { kind, marker: marker === '' ? undefined : marker }
}

interface Listing {
  readonly resources: readonly InventoryItem[]
  readonly next?: string | undefined
}

const itemOf = (kind: string, ref: string, tags: Tags): InventoryItem => ({
  kind,
  ref,
  marks: marksOf(tags),
  generation: generationOf(tags),
})

/** What vanishes between the list and its tags is not there any more, and not in the page. */
const withTags = async (
  reader: Reader,
  kind: string,
  listed: readonly Listed[],
): Promise<readonly InventoryItem[]> => {
  const tags = await readTagsOf(
    reader,
    listed.map(({ arn }) => arn),
  )
  return listed.flatMap(({ arn }) => {
    const own = tags.get(arn)
    return own === undefined ? [] : [itemOf(kind, arn, own)]
  })
}

const isMarked = [{ Name: 'tag-key', Values: [tagKey.installation] }]

const lists: Readonly<Record<Kind, (reader: Reader, marker?: string) => Promise<Listing>>> = {
  'load-balancers': async (reader, marker) => {
    const page = await read(reader, 'list load balancers', ({ elb }) =>
      elb.describeLoadBalancers({
        PageSize: perPage,
        ...(marker === undefined ? {} : { Marker: marker }),
      }),
    )
    const network = (page.LoadBalancers ?? []).filter(({ Type }) => Type === 'network')
    const resources = await withTags(reader, 'load balancer', network.map(balancerOf))
    return { resources, next: page.NextMarker }
  },
  'target-groups': async (reader, marker) => {
    const page = await read(reader, 'list target groups', ({ elb }) =>
      elb.describeTargetGroups({
        PageSize: perPage,
        ...(marker === undefined ? {} : { Marker: marker }),
      }),
    )
    const resources = await withTags(reader, 'target group', (page.TargetGroups ?? []).map(groupOf))
    return { resources, next: page.NextMarker }
  },
  'security-groups': async (reader, marker) => {
    const page = await read(reader, 'list security groups', ({ ec2 }) =>
      ec2.describeSecurityGroups({
        Filters: isMarked,
        MaxResults: perPage,
        ...(marker === undefined ? {} : { NextToken: marker }),
      }),
    )
    const resources = (page.SecurityGroups ?? []).map(({ GroupId, Tags }) =>
      itemOf('security group', must(GroupId, 'GroupId'), readTags(Tags)),
    )
    return { resources, next: page.NextToken }
  },
  // AWS gives addresses in one answer; an account has five unless it asked for more.
  addresses: async (reader) => {
    const page = await read(reader, 'list elastic IPs', ({ ec2 }) =>
      ec2.describeAddresses({ Filters: isMarked }),
    )
    const resources = (page.Addresses ?? [])
      .map(addressOf)
      .map(({ seen, tags }) => itemOf('elastic IP', seen.allocationId, tags))
    return { resources }
  },
}
