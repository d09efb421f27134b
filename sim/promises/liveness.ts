// What must be so once faults have stopped and time has passed. Each check gives the first thing that is
// not so, in words, or nothing.
import { frontendText, isRefusal, type RecordedEvent } from '@weir/contract'
import type { Service } from '../kube/object.ts'
import { holdsOurs, sharingAnnotation, type TrueService } from '../truth/services.ts'
import { installation, type World } from '../world/world.ts'
import type { Oracle } from './safety.ts'
import { Violation, type PromiseName } from './violation.ts'

export interface Unkept {
  readonly promise: PromiseName
  readonly problem: string
}

/** What is not as promised now; nothing when the platform is where it should be. */
export const notYet = (world: World, oracle: Oracle): readonly Unkept[] => {
  const services = [...oracle.services.all()].map((service) =>
    service.wanted ? servedProblem(world, oracle, service) : leftProblem(oracle, service),
  )
  return [...services, orphanProblem(world, oracle)].filter((problem) => problem !== undefined)
}

/** @throws Violation for the first that `tolerate` does not take note of. */
export const mustBeSo = (
  unkept: readonly Unkept[],
  tolerate: (violation: Violation) => boolean,
): void => {
  for (const { promise, problem } of unkept) {
    const violation = new Violation(promise, problem)
    if (!tolerate(violation)) throw violation
  }
}

const stuck = (promise: PromiseName, problem: string): Unkept => ({ promise, problem })

/** L1: a Service that is wanted is served exactly as it asks, or told why not. */
const servedProblem = (
  world: World,
  oracle: Oracle,
  { uid, object }: TrueService,
): Unkept | undefined => {
  if (object === undefined) return undefined
  const name = `${object.metadata.name} (${uid})`
  if (!holdsOurs(object)) return stuck('L1', `${name} has no finalizer`)
  const story = oracle.stories.get(uid)
  if (story === undefined || story.lives !== story.releases + 1) {
    return stuck('L1', `${name} has had ${story?.lives ?? 0} lives and ${story?.releases} ends`)
  }
  const shown = (object.status.loadBalancer.ingress ?? []).map(({ ip }) => ip).join()
  const held = story.leases.map(({ ip }) => ip).join() || givenBy(world, uid)
  const refusal = refusalOf(world, uid)
  if (refusal !== undefined) return refusalProblem(world, oracle, object, refusal)
  if (held === '') return stuck('L1', `${name} holds no address, and nobody says why`)
  if (shown !== held) return stuck('L1', `${name} shows "${shown}" and holds "${held}"`)
  return resourceProblem(world, object, held)
}

/** What a cloud gave it, where it gives addresses itself. */
const givenBy = (world: World, uid: string): string => {
  const things = world.clouds.flatMap((cloud) => cloud.truth())
  return (
    things.find(({ marks, address }) => marks?.service === uid && address !== null)?.address ?? ''
  )
}

/** The newest answer to its wish, if that is a no. */
const refusalOf = (world: World, uid: string): RecordedEvent | undefined => {
  let newest: RecordedEvent | undefined
  for (const entry of world.ledger.entries) {
    if (entry.kind !== 'event' || entry.event.correlationid !== uid) continue
    const { event } = entry
    if (isRefusal(event)) newest = event
    if (event.type === 'FrontendsAllocated' || event.type === 'LoadBalancerRequested') {
      newest = undefined
    }
  }
  return newest
}

const refusalProblem = (
  world: World,
  oracle: Oracle,
  object: Service,
  refusal: RecordedEvent,
): Unkept | undefined => {
  const { name, uid, annotations } = object.metadata
  const told = annotations?.['weir.dev/reason'] ?? ''
  if (!told.startsWith(refusal.type)) {
    return stuck('L1', `${name} (${uid}) is refused (${refusal.type}) and shows "${told}"`)
  }
  const wish = object.spec.loadBalancerIP ?? ''
  if (refusal.type.startsWith('Address') && wish === '') {
    return stuck('L1', `${name} (${uid}) asks for no address and is refused (${refusal.type})`)
  }
  if (refusal.type !== 'PoolExhausted') return refusalIsTrue(oracle, object, refusal)
  const free = freeAddresses(world)
  return free > 0 ? stuck('L1', `${name} (${uid}) waits though ${free} are free`) : undefined
}

/** Nothing that users do here is refused for any other reason. */
const refusalIsTrue = (
  { stories }: Oracle,
  { metadata, spec }: Service,
  refusal: RecordedEvent,
): Unkept | undefined => {
  const { type, data } = refusal
  const shares = metadata.annotations?.[sharingAnnotation] !== undefined
  const isTrue = (): boolean => {
    if (type.startsWith('Address')) return true
    if (!shares) return false
    if (type === 'FrontendTaken') {
      const theirs = stories.get(data.holder)?.frontends.map(frontendText) ?? []
      return theirs.includes(frontendText(data.frontend))
    }
    // It names what cannot be had beside a shared address, or with a driver that has addresses of its own.
    const fields = type === 'IntentInvalid' ? data.problems.map(({ field }) => field) : ['?']
    return fields.every(
      (field) =>
        field === 'the sharing key' ||
        (field === 'the address' && (spec.loadBalancerIP ?? '') !== ''),
    )
  }
  if (isTrue()) return undefined
  return stuck('L1', `${metadata.name} is refused: ${type} ${JSON.stringify(data)}`)
}

const freeAddresses = ({ operator, scheduler, claims }: World): number => {
  const now = scheduler.now()
  const busy = claims().filter(
    ({ holder, restsUntil }) => holder !== null || (restsUntil ?? 0) > now,
  )
  return operator.poolSize() - busy.length
}

/** The one resource at the providers is what the Service asks for. */
const resourceProblem = (world: World, object: Service, ip: string): Unkept | undefined => {
  const { name, uid } = object.metadata
  const own = world.clouds
    .flatMap((cloud) => cloud.truth())
    .filter(({ marks }) => marks?.service === uid)
  const [thing, ...more] = own
  if (thing === undefined || thing.desired === null)
    return stuck('L1', `${name} (${uid}) has no resource`)
  if (more.length > 0) return stuck('L2', `${name} (${uid}) has ${own.length} resources`)
  const { desired } = thing
  const wanted = describeWanted(world, object, thing.address === null ? ip : '0.0.0.0')
  const found = describe({
    driver: desired.driver,
    frontends: desired.frontends.map((at) => `${at.ip} ${at.protocol}/${at.port} ${at.nodePort}`),
    targets: desired.targets.map((at) => `${at.node} ${at.ip}`),
    ranges: desired.sourceRanges,
    policy: desired.policy,
    affinity: desired.affinity.kind,
  })
  if (thing.state !== 'active') return stuck('L1', `${thing.ref} is ${thing.state}`)
  if (wanted === found) return undefined
  return stuck('L1', `${name} (${uid}) asks for ${wanted} and ${thing.ref} has ${found}`)
}

interface Described {
  readonly driver: string
  readonly frontends: readonly string[]
  readonly targets: readonly string[]
  readonly ranges: readonly string[]
  readonly policy: string
  readonly affinity: string
}

const describe = ({ driver, frontends, targets, ranges, policy, affinity }: Described): string =>
  JSON.stringify([
    driver,
    frontends.toSorted(),
    targets.toSorted(),
    ranges.toSorted(),
    policy,
    affinity,
  ])

const describeWanted = (world: World, { metadata, spec }: Service, ip: string): string => {
  const at = world.clusters.find(
    ({ kube }) =>
      kube.store.get('services', `default/${metadata.name}`)?.metadata.uid === metadata.uid,
  )
  const nodes = (at?.kube.store.all('nodes') ?? []).filter(
    (node) =>
      Object.keys(node.metadata.labels ?? {}).length === 0 && (node.spec.taints ?? []).length === 0,
  )
  return describe({
    driver: spec.loadBalancerClass?.replace('weir.dev/', '') ?? String(at?.cluster.driver),
    frontends: spec.ports.map((port) => `${ip} ${port.protocol}/${port.port} ${port.nodePort}`),
    targets: nodes.map((node) => `${node.metadata.name} ${node.status.addresses[0]?.address}`),
    ranges: spec.loadBalancerSourceRanges ?? [],
    policy: spec.externalTrafficPolicy ?? 'Cluster',
    affinity: spec.sessionAffinity ?? 'None',
  })
}

/** L2 and L3: of a Service that is not wanted nothing is held, and it does not wait for us. */
const leftProblem = (oracle: Oracle, { uid, object, cluster }: TrueService): Unkept | undefined => {
  const story = oracle.stories.get(uid)
  if (story !== undefined && story.lives !== story.releases) {
    return stuck('L2', `life ${story.lives} of ${uid} goes on though nobody wants it`)
  }
  if ((story?.leases.length ?? 0) > 0) return stuck('L2', `${uid} still holds its address`)
  // A cluster that left is not waited for; its finalizers go if it can be reached, which it can here.
  if (object !== undefined && holdsOurs(object)) {
    const gone = oracle.services.served(cluster) ? '' : ' of a cluster that left'
    return stuck('L3', `${object.metadata.name} (${uid})${gone} still has our finalizer`)
  }
  return undefined
}

/** L2: nothing exists without a reason. */
const orphanProblem = (world: World, { services }: Oracle): Unkept | undefined => {
  for (const { ref, marks } of world.clouds.flatMap((cloud) => cloud.truth())) {
    if (marks?.installation !== installation) continue
    if (services.get(marks.service)?.wanted !== true) {
      return stuck('L2', `${ref} is there, and its Service ${marks.service} does not want it`)
    }
  }
  return undefined
}
