import { createHash } from 'node:crypto'
import { canonicalJson, ownershipMarks, type OwnershipMarks } from '@weir/contract'

/** What the tags of a load balancer of ours say. */
export interface Labels {
  readonly marks: OwnershipMarks
  readonly generation: number
  /** `desiredHash` of the last order that was carried out to its end. */
  readonly hash: string
  /** Fingerprint of what Octavia had at that moment, so that drift shows. */
  readonly shape: string
}

const markTags = (marks: OwnershipMarks): readonly string[] => [
  `weir-inst=${marks.installation}`,
  `weir-tenant=${marks.tenant}`,
  `weir-cluster=${marks.cluster}`,
  `weir-svc=${marks.service}`,
  `weir-key=${marks.key}`,
  `weir-epoch=${marks.epoch}`,
]

/** The tags that go into the call that creates a load balancer, and that later changes replace. */
export const tagsOf = ({ marks, generation, hash, shape }: Labels): readonly string[] => [
  ...markTags(marks),
  `weir-gen=${generation}`,
  `weir-hash=${hash}`,
  `weir-shape=${shape}`,
]

/** Tags by which every incarnation of one owner is found. */
export const ownerQuery = (marks: OwnershipMarks): readonly string[] => [
  `weir-inst=${marks.installation}`,
  `weir-key=${marks.key}`,
]

/** Tags of listeners, pools and health monitors: they go with their load balancer and name it. */
export const partTags = (marks: OwnershipMarks): readonly string[] => [
  `weir-inst=${marks.installation}`,
  `weir-lb=${balancerName(marks)}`,
]

/** What `tags` say, or null when marks are missing, twice there, or broken. */
export const labelsOf = (tags: readonly string[]): Labels | null => {
  const said = new Map<string, string>()
  for (const tag of tags) {
    const [name = '', ...value] = tag.split('=')
    if (!name.startsWith('weir-')) continue
    if (said.has(name)) return null
    said.set(name, value.join('='))
  }
  const marks = ownershipMarks.safeParse({
    installation: said.get('weir-inst'),
    tenant: said.get('weir-tenant'),
    cluster: said.get('weir-cluster'),
    service: said.get('weir-svc'),
    key: said.get('weir-key'),
    epoch: Number(said.get('weir-epoch')),
  })
  if (!marks.success) return null
  const generation = Number(said.get('weir-gen'))
  return {
    marks: marks.data,
    generation: Number.isSafeInteger(generation) && generation > 0 ? generation : 0,
    hash: said.get('weir-hash') ?? '',
    shape: said.get('weir-shape') ?? '',
  }
}

/** `before` with our own tags replaced by `ours`; everybody else's stay, in their order. */
export const withTags = (before: readonly string[], ours: readonly string[]): readonly string[] => [
  ...before.filter((tag) => !/^weir-[a-z]+=/.test(tag)),
  ...ours,
]

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/**
 * The name of a load balancer: 130 bits of a hash of whose it is. Octavia does not keep names apart, so
 * this is for people; we find our own by tags.
 */
export const balancerName = ({ installation, cluster, service, key, epoch }: OwnershipMarks) => {
  const owner = { role: 'load-balancer', installation, cluster, service, key, epoch }
  const bytes = createHash('sha256').update(canonicalJson(owner)).digest()
  return `weir-${Array.from(bytes.subarray(0, 26), (byte) => alphabet[byte & 31] ?? '').join('')}`
}

/**
 * Neutron takes no tags in the call that creates a floating IP, and a description of 255 characters: the
 * marks go there, without the Service, with which the key ends.
 */
export const describeMarks = (marks: OwnershipMarks): string =>
  `weir inst=${marks.installation} tenant=${marks.tenant} cluster=${marks.cluster} ` +
  `key=${marks.key} epoch=${marks.epoch}`

/** The marks in a description, or null. What people write behind it is theirs and stays. */
export const marksInDescription = (description: string): OwnershipMarks | null => {
  const said = /^weir inst=(\S+) tenant=(\S+) cluster=(\S+) key=(\S+) epoch=(\d+)(?: |$)/.exec(
    description,
  )
  if (said === null) return null
  const [, installation, tenant, cluster, key = '', epoch] = said
  const marks = ownershipMarks.safeParse({
    installation,
    tenant,
    cluster,
    service: key.slice(-36),
    key,
    epoch: Number(epoch),
  })
  return marks.success ? marks.data : null
}

/** Whether two marks are the same ones, epoch and all. */
export const sameMarks = (one: OwnershipMarks, other: OwnershipMarks): boolean =>
  canonicalJson(one) === canonicalJson(other)
