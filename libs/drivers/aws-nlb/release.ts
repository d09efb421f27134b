import type { InstallationId, OwnershipMarks } from '@weir/contract'
import type { Marked, Outcome } from '../driver.ts'
import { sameOwner } from '../marks.ts'
import { send, type AwsCall } from './calls.ts'
import type { Hints } from './hints.ts'
import { failureOf, isThrottle, outcomeOf } from './outcome.ts'
import { addressOf } from './read-ec2.ts'
import { must, readIfThere, readTagsOf, type Reader } from './reading.ts'
import { marksOf, readTags, type Tags } from './tags.ts'

interface Releasing {
  readonly reader: Reader
  readonly installation: InstallationId
  readonly hints: Hints
}

const confirmAfterMs = 1_000
const holdMs = 1_000

/**
 * Deletes one thing by its own name, after a look at its tags. A delete that AWS takes is `pending`:
 * the next call confirms it by a read. AWS refuses to delete what something else uses, so a target
 * group under a live listener or a group under a live load balancer stays, `locked`.
 */
export const release = async (
  { reader, installation, hints }: Releasing,
  { ref, marks }: Marked,
): Promise<Outcome> => {
  if (marks.installation !== installation) return notOurs(ref, 'another installation')
  const thing = thingOf(ref)
  if (thing === null) {
    return { status: 'refused', capability: 'input', problem: `${ref} is no name of a thing here` }
  }
  const tags = await thing.tags(reader)
  if (tags === null) {
    hints.gone(marks, ref)
    return { status: 'done' }
  }
  const now = marksOf(tags)
  if (now === null || !sameOwner(now, marks) || now.epoch !== marks.epoch) {
    return notOurs(ref, now === null ? 'nobody' : whose(now))
  }
  const grant = reader.budget.ask(marks.tenant, 'write')
  if (!grant.granted) {
    return { status: 'retry', afterMs: grant.retryMs, problem: "the account's rate is used up" }
  }
  try {
    await send(reader.api, thing.remove)
    hints.gone(marks, ref)
    return { status: 'pending', lookAgainMs: confirmAfterMs }
  } catch (error) {
    if (isThrottle(failureOf(error))) reader.budget.hold('write', holdMs)
    const outcome = outcomeOf(thing.remove.action, error)
    return outcome.status === 'done' ? { status: 'pending', lookAgainMs: confirmAfterMs } : outcome
  }
}

const notOurs = (ref: string, who: string): Outcome => ({
  status: 'refused',
  capability: 'ownership',
  problem: `${ref} carries the marks of ${who}; it is left alone`,
})

const whose = ({ installation, key, epoch }: OwnershipMarks): string =>
  `installation ${installation}, ${key}, epoch ${epoch}`

interface Thing {
  /** Its tags now, or null when it is not there. */
  readonly tags: (reader: Reader) => Promise<Tags | null>
  readonly remove: AwsCall
}

const thingOf = (ref: string): Thing | null => {
  if (/^arn:\S+:loadbalancer\//.test(ref)) {
    return {
      tags: (reader) => balancerTags(reader, ref),
      remove: { action: 'DeleteLoadBalancer', input: { LoadBalancerArn: ref } },
    }
  }
  if (/^arn:\S+:targetgroup\//.test(ref)) {
    return {
      tags: (reader) => groupTags(reader, ref),
      remove: { action: 'DeleteTargetGroup', input: { TargetGroupArn: ref } },
    }
  }
  if (ref.startsWith('sg-')) {
    return {
      tags: (reader) => securityGroupTags(reader, ref),
      remove: { action: 'DeleteSecurityGroup', input: { GroupId: ref } },
    }
  }
  if (ref.startsWith('eipalloc-')) {
    return {
      tags: (reader) => addressTags(reader, ref),
      remove: { action: 'ReleaseAddress', input: { AllocationId: ref } },
    }
  }
  return null
}

// Whether it is there is asked of the thing itself: tags can outlive what they were put on.
const balancerTags = async (reader: Reader, arn: string): Promise<Tags | null> => {
  const answer = await readIfThere(reader, `read ${arn}`, ({ elb }) =>
    elb.describeLoadBalancers({ LoadBalancerArns: [arn] }),
  )
  return answer === null ? null : ((await readTagsOf(reader, [arn])).get(arn) ?? null)
}

const groupTags = async (reader: Reader, arn: string): Promise<Tags | null> => {
  const answer = await readIfThere(reader, `read ${arn}`, ({ elb }) =>
    elb.describeTargetGroups({ TargetGroupArns: [arn] }),
  )
  return answer === null ? null : ((await readTagsOf(reader, [arn])).get(arn) ?? null)
}

const securityGroupTags = async (reader: Reader, id: string): Promise<Tags | null> => {
  const answer = await readIfThere(reader, `read ${id}`, ({ ec2 }) =>
    ec2.describeSecurityGroups({ GroupIds: [id] }),
  )
  const group = answer?.SecurityGroups?.find(({ GroupId }) => GroupId === id)
  return answer === null ? null : readTags(must(group, id).Tags)
}

const addressTags = async (reader: Reader, id: string): Promise<Tags | null> => {
  const answer = await readIfThere(reader, `read ${id}`, ({ ec2 }) =>
    ec2.describeAddresses({ AllocationIds: [id] }),
  )
  const address = answer?.Addresses?.find(({ AllocationId }) => AllocationId === id)
  return answer === null ? null : addressOf(must(address, id)).tags
}
