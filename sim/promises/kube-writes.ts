import type { Service } from '../kube/object.ts'
import type { KubeWrite } from '../truth/ledger.ts'
import { holdsOurs } from '../truth/services.ts'
import type { World } from '../world/world.ts'
import type { Oracle } from './safety.ts'
import { Violation } from './violation.ts'

/** P5 and P6: what we write on Services. */
export const checkKubeWrite = (world: World, oracle: Oracle, write: KubeWrite): void => {
  const { by, patch, before, after } = write
  if (patch.metadata.uid === undefined) throw new Violation('P5', `${by} wrote without a UID`)
  if ((patch.status?.loadBalancer?.ingress ?? []).length > 0) checkStatus(world, oracle, write)
  if (holdsOurs(before) && !holdsOurs(after)) checkLetGo(world, oracle, write)
}

/** Nobody reads the log and writes to an API server in one act: a write on its way may be so much behind. */
const inFlightMs = 10_000

/** P5: the address shown is this Service's own, and a provider confirmed it. */
const checkStatus = (world: World, oracle: Oracle, write: KubeWrite): void => {
  const { stories } = oracle
  const { by, after, patch } = write
  const { uid } = after.metadata
  const story = stories.get(uid)
  for (const { ip, hostname } of patch.status?.loadBalancer?.ingress ?? []) {
    const shown = ip ?? hostname
    const what = `${by} shows ${shown} on ${nameOf(after)} (${uid})`
    if (ip !== undefined && !isOwn(world, oracle, { uid, ip })) {
      throw new Violation('P5', `${what}, which it does not hold`)
    }
    const recent = ({ at }: { readonly at: number }): boolean =>
      at > world.scheduler.now() - inFlightMs
    const confirmed = [...(story?.resources.values() ?? [])]
      .flatMap(({ programmed, outdated }) => [programmed, ...outdated.filter(recent)])
      .flatMap((each) => each?.ingress ?? [])
      .some((each) => ('ip' in each ? each.ip : each.hostname) === shown)
    if (!confirmed) throw new Violation('P5', `${what}, which no provider confirmed`)
  }
}

/** Held, or let go a moment ago while the provider still serves it, and nobody else's since. */
const isOwn = (
  world: World,
  { services }: Oracle,
  { uid, ip }: { readonly uid: string; readonly ip: string },
): boolean => {
  const row = world.claims().find(({ key }) => key === ip)
  // An address of no pool of ours is a provider's own, and it has to be confirmed like any.
  if (row === undefined) return true
  const holder = row.holder ?? row.lastHolder
  const groups: ReadonlySet<string> = services.get(uid)?.groups ?? new Set()
  return holder === uid || (holder !== null && groups.has(holder))
}

/** P6: the finalizer goes after the absence of everything ever intended, and it is true. */
const checkLetGo = (world: World, oracle: Oracle, { by, after }: KubeWrite): void => {
  const { uid } = after.metadata
  const what = `${by} takes the finalizer off ${nameOf(after)} (${uid})`
  const story = oracle.stories.get(uid)
  for (const { key, intendedEpoch, absent } of story?.resources.values() ?? []) {
    if (intendedEpoch > 0 && !absent.has(intendedEpoch)) {
      throw new Violation('P6', `${what} before ${key}/${intendedEpoch} is known to be absent`)
    }
  }
  for (const cloud of world.clouds) {
    const there = cloud
      .truth()
      .find((thing) => thing.marks?.service === uid && thing.isGhost !== true)
    if (there !== undefined) {
      throw new Violation('P6', `${what} while ${there.ref} is there (${there.state})`)
    }
  }
}

const nameOf = ({ metadata }: Service): string => `${metadata.namespace}/${metadata.name}`
