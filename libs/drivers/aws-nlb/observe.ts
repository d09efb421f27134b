import { ingress, type Ingress, type OwnershipMarks, type TargetHealth } from '@weir/contract'
import type { Observed } from '../driver.ts'
import { comparePlaces, sameOwner } from '../marks.ts'
import type { Hints } from './hints.ts'
import { must, readTagsOf, type Reader } from './reading.ts'
import { readAddresses, readSecurityGroups } from './read-ec2.ts'
import {
  readBalancer,
  readBalancersNamed,
  readGroup,
  readGroupsNamedLike,
  type Listed,
} from './read-elb.ts'
import { generationOf, marksOf, stampOf, tagKey, type Tags } from './tags.ts'
import { isTarget, shapeOf, type SeenTargetGroup, type View } from './view.ts'

/**
 * Everything at AWS under `marks`. Load balancers and target groups are found by names, which derive
 * from the marks and are unique; security groups and addresses by their tags; and what is found counts
 * as ours only by its tags.
 *
 * @throws OperatingError when any read fails: a part of the truth is none.
 */
export const observe = async (
  reader: Reader,
  hints: Hints,
  marks: OwnershipMarks,
): Promise<Observed<View>> => {
  // One after the other, parents first: what a later read shows is at least as new.
  const balancers = await readBalancersNamed(reader, marks)
  const groups = await readGroupsNamedLike(reader, marks)
  const tags = await readTagsOf(
    reader,
    [...balancers, ...groups].map(({ arn }) => arn),
  )
  const [security, addresses] = await Promise.all([
    readSecurityGroups(reader, marks),
    readAddresses(reader, marks),
  ])
  const mine = <T extends Listed>(all: readonly T[]): readonly T[] =>
    all.filter(({ arn }) => isMine(marks, tags.get(arn)))
  const [balancer] = mine(balancers)
  const own = security.filter((group) => isMine(marks, group.tags))
  const view: View = {
    loadBalancer:
      balancer === undefined
        ? null
        : await readBalancer(reader, balancer, must(tags.get(balancer.arn), 'tags')),
    targetGroups: await Promise.all(mine(groups).map((group) => readGroup(reader, group))),
    securityGroup: own[0]?.seen ?? null,
    addresses: addresses.filter((at) => isMine(marks, at.tags)).map(({ seen }) => seen),
    foreign: [
      ...[...balancers, ...groups]
        .filter(({ arn }) => isOthers(marks, tags.get(arn)))
        .map(({ arn }) => arn),
      ...security
        .filter((group) => group.named && !isMine(marks, group.tags))
        .map(({ seen }) => seen.id),
    ],
    newer: newest(
      marks,
      [...security, ...addresses].map((thing) => thing.tags),
    ),
    rejected: hints.rejections(marks),
  }
  const allTags = [
    ...mine([...balancers, ...groups]).map(({ arn }) => must(tags.get(arn), 'tags')),
    ...[...own, ...addresses.filter((at) => isMine(marks, at.tags))].map((thing) => thing.tags),
  ]
  const shown = new Set([
    ...[...balancers, ...groups].map(({ arn }) => arn),
    ...(view.loadBalancer?.listeners ?? []).map(({ arn }) => arn),
    ...own.map(({ seen }) => seen.id),
    ...view.addresses.map(({ allocationId }) => allocationId),
  ])
  return conclude({ marks, view, allTags, missing: hints.missing(marks, shown) })
}

const isMine = (marks: OwnershipMarks, tags: Tags | undefined): boolean => {
  const theirs = tags === undefined ? null : marksOf(tags)
  return theirs !== null && sameOwner(theirs, marks) && theirs.epoch === marks.epoch
}

/** What vanished between two reads has no tags, and is nobody's. */
const isOthers = (marks: OwnershipMarks, tags: Tags | undefined): boolean =>
  tags !== undefined && !isMine(marks, tags)

/** The newest later incarnation of the same owner that any tags tell of. */
const newest = (marks: OwnershipMarks, all: readonly Tags[]): View['newer'] =>
  all
    .flatMap((tags) => {
      const theirs = marksOf(tags)
      if (theirs === null || !sameOwner(theirs, marks) || theirs.epoch <= marks.epoch) return []
      return { epoch: theirs.epoch, generation: Math.max(1, generationOf(tags)) }
    })
    .sort(comparePlaces)
    .at(-1) ?? null

interface Read {
  readonly marks: OwnershipMarks
  readonly view: View
  readonly allTags: readonly Tags[]
  readonly missing: readonly string[]
}

const confirmedBy = ['elasticloadbalancing', 'ec2']

const conclude = ({ marks, view, allTags, missing }: Read): Observed<View> => {
  if (missing.length > 0) {
    const problem = `made a moment ago and not shown yet: ${missing.join(', ')}`
    return { status: 'unknown', problem, view }
  }
  if (allTags.length === 0) return { status: 'absent', confirmedBy, view }
  const balancer = view.loadBalancer
  const stamp = balancer === null ? null : stampOf(balancer.tags)
  const serves = balancer?.state === 'active' || balancer?.state === 'active_impaired'
  return {
    status: 'present',
    marks,
    generation:
      balancer === null ? Math.max(...allTags.map(generationOf)) : generationOf(balancer.tags),
    hash: stamp === null ? '' : stamp.shape === shapeOf(view) ? stamp.hash : `not ${stamp.hash}`,
    ready: serves && stamp !== null,
    ingress: balancer === null ? [] : [nameOf(balancer.dnsName)],
    confirmedBy,
    targets: targetsOf(view),
    view,
  }
}

/** @throws OperatingError when it is no name that a status may carry */
const nameOf = (dnsName: string): Ingress => {
  const parsed = ingress.safeParse({ hostname: dnsName.toLowerCase() })
  return must(parsed.success ? parsed.data : undefined, 'a DNS name that is one')
}

/** Each instance once, with the worst that any of its ports tells; and who could be no target. */
const targetsOf = (view: View): readonly TargetHealth[] => {
  const worst = new Map<string, TargetHealth>()
  for (const target of view.targetGroups.flatMap(({ targets }: SeenTargetGroup) => targets)) {
    const state =
      target.state === 'healthy' || target.state === 'unhealthy' ? target.state : 'unknown'
    const health: TargetHealth = {
      node: target.instance,
      state,
      weight: isTarget(target) ? null : 0,
      problem: state === 'healthy' ? null : (target.problem ?? target.state).slice(0, 300),
    }
    const known = worst.get(target.instance)
    if (known === undefined || badness[state] > badness[known.state]) {
      worst.set(target.instance, health)
    }
  }
  const leftOut = (view.loadBalancer?.tags.get(tagKey.leftOut) ?? '').split(' ').filter(Boolean)
  return [
    ...worst.values(),
    ...view.rejected.map(({ instance, problem }) => noTarget(instance, problem)),
    ...leftOut.map((node) => noTarget(node, 'its Node has no providerID aws:///ZONE/INSTANCE')),
  ]
}

const badness = { healthy: 0, unknown: 1, unhealthy: 2 } as const

const noTarget = (node: string, problem: string): TargetHealth => ({
  node,
  state: 'unhealthy',
  weight: 0,
  problem: `no target: ${problem}`.slice(0, 300),
})
