// How a story ended, without what may differ: addresses, times, UIDs and versions are masked, and objects are
// named by what users call them and by the order in which they came.
import type { Service } from '../kube/object.ts'
import type { World } from '../world/world.ts'

export interface End {
  /** What is there, a line for each thing. */
  readonly state: readonly string[]
  /** What was made and removed, a line for each object. */
  readonly counts: readonly string[]
}

export const endOf = (world: World): End => {
  const names = namesOf(world)
  return {
    state: [...servicesOf(world), ...thingsOf(world, names)],
    counts: countsOf(world, names),
  }
}

/** `NAME#1` is the first Service of a name, `NAME#2` its namesake. */
const namesOf = ({ ledger }: World): ReadonlyMap<string, string> => {
  const names = new Map<string, string>()
  const seen = new Map<string, number>()
  for (const entry of ledger.entries) {
    if (entry.kind !== 'kube-change' || entry.change.resource !== 'services') continue
    const { name, uid } = entry.change.object.metadata
    if (names.has(uid)) continue
    const number = (seen.get(name) ?? 0) + 1
    seen.set(name, number)
    names.set(uid, `${name}#${number}`)
  }
  return names
}

const servicesOf = ({ clusters }: World): string[] =>
  clusters
    .flatMap(({ kube }) => kube.services())
    .map(describe)
    .toSorted()

const describe = ({ metadata, spec, status }: Service): string => {
  const held = (metadata.finalizers ?? []).length
  const shown = (status.loadBalancer.ingress ?? []).length
  const reason = (metadata.annotations?.['weir.dev/reason'] ?? '').replace(/:.*/s, '')
  const conditions = (status.conditions ?? []).map(({ type, status: is }) => `${type}=${is}`)
  const words = [spec.type, `${held} finalizers`, `${shown} addresses`, reason, ...conditions]
  return `Service ${metadata.name}: ${words.join(' ')}`
}

const thingsOf = ({ clouds }: World, names: ReadonlyMap<string, string>): string[] =>
  clouds
    .flatMap((cloud) => cloud.truth())
    .flatMap(({ marks, desired, state }) => {
      const name = names.get(marks?.service ?? '')
      if (name === undefined || desired === null) return []
      const frontends = desired.frontends.map(({ protocol, port }) => `${protocol}/${port}`)
      const targets = desired.targets.map(({ node }) => node)
      return [`${desired.driver} of ${name}: ${state} ${[...frontends, ...targets].join(' ')}`]
    })
    .toSorted()

const countsOf = ({ ledger }: World, names: ReadonlyMap<string, string>): string[] => {
  const counts = new Map<string, number>()
  const add = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1)
  for (const entry of ledger.entries) {
    if (entry.kind === 'provider' && ['create', 'gone'].includes(entry.act.act)) {
      add(`${names.get(entry.act.service)}: ${entry.act.driver} ${entry.act.act}`)
    }
    if (entry.kind === 'event') {
      const { type, correlationid } = entry.event
      const isLife = ['LoadBalancerRequested', 'ReleaseRequested', 'FrontendsReleased']
      if (isLife.includes(type)) add(`${names.get(correlationid)}: ${type}`)
    }
  }
  return [...counts].map(([what, times]) => `${what} ${times}`).toSorted()
}
