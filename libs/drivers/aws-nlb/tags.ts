import { ownershipMarks, type OwnershipMarks } from '@weir/contract'

/** A tag as both APIs write it. */
export interface Tag {
  readonly Key: string
  readonly Value: string
}

export type Tags = ReadonlyMap<string, string>

/** The tag keys of ours. Every other key on a resource of ours belongs to somebody else and stays. */
export const tagKey = {
  installation: 'weir:installation',
  tenant: 'weir:tenant',
  cluster: 'weir:cluster',
  service: 'weir:service',
  key: 'weir:key',
  epoch: 'weir:epoch',
  role: 'weir:role',
  generation: 'weir:generation',
  /**
   * On the load balancer only, two words: `desiredHash` of the last order that was carried out to its
   * end, and the fingerprint of what the provider had at that moment, so that drift shows.
   */
  hash: 'weir:hash',
  /** Nodes that could not be targets, for people. */
  leftOut: 'weir:left-out',
} as const

export type Role = 'load-balancer' | 'listener' | 'target-group' | 'security-group' | 'elastic-ip'

/** The tags that go into the call that creates a thing. */
export const marksAsTags = (marks: OwnershipMarks, role: Role, generation: number): Tag[] => [
  { Key: tagKey.installation, Value: marks.installation },
  { Key: tagKey.tenant, Value: marks.tenant },
  { Key: tagKey.cluster, Value: marks.cluster },
  { Key: tagKey.service, Value: marks.service },
  { Key: tagKey.key, Value: marks.key },
  { Key: tagKey.epoch, Value: String(marks.epoch) },
  { Key: tagKey.role, Value: role },
  { Key: tagKey.generation, Value: String(generation) },
]

/** Tags as a map, whatever the API left out. */
export const readTags = (
  tags: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] = [],
): Tags =>
  new Map(
    tags.flatMap(({ Key, Value }) => (Key === undefined ? [] : [[Key, Value ?? ''] as const])),
  )

/** The marks that `tags` hold, or null when any is missing or broken. */
export const marksOf = (tags: Tags): OwnershipMarks | null => {
  const parsed = ownershipMarks.safeParse({
    installation: tags.get(tagKey.installation),
    tenant: tags.get(tagKey.tenant),
    cluster: tags.get(tagKey.cluster),
    service: tags.get(tagKey.service),
    key: tags.get(tagKey.key),
    epoch: Number(tags.get(tagKey.epoch)),
  })
  return parsed.success ? parsed.data : null
}

/** The generation that `tags` hold, 0 when none can be read. */
export const generationOf = (tags: Tags): number => {
  const generation = Number(tags.get(tagKey.generation))
  return Number.isSafeInteger(generation) && generation > 0 ? generation : 0
}

/** What the last order carried out left on a load balancer; null before the first. */
export const stampOf = (tags: Tags): { readonly hash: string; readonly shape: string } | null => {
  const [hash = '', shape = ''] = (tags.get(tagKey.hash) ?? '').split(' ')
  return hash === '' ? null : { hash, shape }
}
