// A provider of load balancers, of one of two kinds. A cloud does as real ones do: calls are accepted and take
// effect later, what is being changed is locked, names are unique, reads may be of a moment ago, addresses are
// its own, and nobody is fenced. A fleet does as our own edges do: it shows what is there, and whoever comes
// with an older place than it knows is told so.
import type { DesiredResource, OwnershipMarks } from '@weir/contract'
import { comparePlaces } from '@weir/drivers'
import type { FaultPlan } from '../faults.ts'
import type { ProviderAct } from '../truth/ledger.ts'

export interface CloudThing {
  readonly ref: string
  readonly name: string
  readonly marks: OwnershipMarks | null
  readonly desired: DesiredResource | null
  readonly state: 'building' | 'active' | 'updating' | 'deleting'
  /** It was gone and is there again by no doing of ours. */
  readonly isGhost?: boolean
  /** What a cloud gave it; null where pools hold the addresses. */
  readonly address: string | null
}

export type CloudAnswer =
  | { readonly status: 'accepted'; readonly ref: string }
  | { readonly status: 'exists'; readonly ref: string }
  | { readonly status: 'locked' }
  | { readonly status: 'missing' }
  | { readonly status: 'throttled' }
  | { readonly status: 'superseded'; readonly epoch: number; readonly generation: number }

export interface CloudShape {
  readonly name: string
  readonly kind: 'fleet' | 'cloud'
  /** Longest that a create, an update or a delete goes on, milliseconds; 0 for at once. */
  readonly worksMs: number
  /** How old a read may be, milliseconds. */
  readonly staleMs: number
}

export interface Cloud {
  readonly name: string
  readonly kind: CloudShape['kind']
  create(desired: DesiredResource, asked: Asked): CloudAnswer
  update(ref: string, desired: DesiredResource, asked: Asked): CloudAnswer
  remove(ref: string, asked: Asked): CloudAnswer
  /** What a client is shown: perhaps of a moment ago. */
  read(): readonly CloudThing[]
  /** What is there. */
  truth(): readonly CloudThing[]
  /** What is gone, oldest first. */
  buried(): readonly CloudThing[]
  /** Has a thing again that was gone. */
  haunt(thing: CloudThing): void
  /** Puts a thing there without a word. */
  plant(thing: CloudThing): void
  onChange(handle: (marks: OwnershipMarks) => void): () => void
}

export interface Asked {
  readonly by: string
  readonly at: number
  /** The thing's name; derived from the marks when absent. */
  readonly name?: string
}

export interface CloudPorts {
  readonly shape: CloudShape
  readonly faults: FaultPlan
  readonly now: () => number
  /** Does something as the cloud itself, after a while. */
  readonly later: (label: string, ms: number, run: () => void) => void
  readonly onAct: (act: ProviderAct) => void
}

/** Other owners have other names, as with the drivers of real clouds. */
export const nameOf = ({ installation, key, epoch }: OwnershipMarks): string =>
  `weir-${installation}-${key}-${epoch}`

export const createCloud = (ports: CloudPorts): Cloud => {
  const { shape, faults, now, onAct } = ports
  const { name: driver, kind } = shape
  const things = new Map<string, CloudThing>()
  const listeners = new Set<(marks: OwnershipMarks) => void>()
  let past: { readonly at: number; readonly things: readonly CloudThing[] }[] = []
  const graves: CloudThing[] = []
  let made = 0

  const remember = (): void => {
    past.push({ at: now(), things: [...things.values()] })
    past = past.filter(({ at }, index) => {
      const next = past[index + 1]
      return next === undefined || next.at > now() - shape.staleMs || at > now() - shape.staleMs
    })
  }
  const set = (thing: CloudThing | null, ref: string): void => {
    remember()
    const marks = (thing ?? things.get(ref))?.marks ?? null
    if (thing === null) things.delete(ref)
    else things.set(ref, thing)
    if (marks !== null) for (const listener of listeners) listener(marks)
  }
  const note = (act: ProviderAct['act'], thing: CloudThing, asked: Asked): void => {
    const { tenant = '', service = '', key = '', epoch = 0, installation = '' } = thing.marks ?? {}
    const generation = thing.desired?.generation ?? 0
    const place = { installation, tenant, service, key, epoch, generation, ref: thing.ref }
    onAct({ driver, act, ...place, by: asked.by, askedAt: asked.at })
  }
  /** What was begun comes to its end by itself. */
  const work = (ref: string, end: () => void): void => {
    const ms = shape.worksMs === 0 ? 0 : 100 + faults.someMs(shape.worksMs)
    if (ms === 0) end()
    else ports.later(`${driver} works on ${ref}`, ms, end)
  }
  const settle = (ref: string): void => {
    const thing = things.get(ref)
    if (thing !== undefined && thing.state !== 'deleting') set({ ...thing, state: 'active' }, ref)
  }
  const busy = (thing: CloudThing): boolean => thing.state !== 'active'

  const fences = new Map<string, { readonly epoch: number; readonly generation: number }>()
  const fence = ({ key, epoch }: OwnershipMarks, generation: number): void => {
    const known = fences.get(key)
    if (known === undefined || comparePlaces({ epoch, generation }, known) > 0) {
      fences.set(key, { epoch, generation })
    }
  }
  const throttles = (): boolean => kind === 'cloud' && faults.strikes('provider throttle')
  /** Why an order is not taken now. */
  const refusedAt = ({ marks, generation }: DesiredResource): CloudAnswer | undefined => {
    if (throttles()) return { status: 'throttled' }
    const known = fences.get(marks.key)
    const isOld =
      known !== undefined && comparePlaces({ epoch: marks.epoch, generation }, known) < 0
    if (kind === 'fleet' && isOld) {
      return {
        status: 'superseded',
        epoch: known.epoch,
        generation: Math.min(known.generation, 1e9),
      }
    }
    fence(marks, generation)
    return undefined
  }
  return {
    name: driver,
    kind,
    create: (desired, asked) => {
      const refused = refusedAt(desired)
      if (refused !== undefined) return refused
      const name = asked.name ?? nameOf(desired.marks)
      const there = [...things.values()].find((each) => each.name === name)
      if (there !== undefined) return { status: 'exists', ref: there.ref }
      made += 1
      const ref = `${driver}-lb-${made}`
      const { marks } = desired
      // An address of its own, whichever is asked for: ours it does not have.
      const address = kind === 'cloud' ? `192.0.2.${made % 250}` : null
      const thing: CloudThing = { ref, name, marks, desired, state: 'building', address }
      set(thing, ref)
      note('create', thing, asked)
      work(ref, () => settle(ref))
      return { status: 'accepted', ref }
    },
    update: (ref, desired, asked) => {
      const refused = refusedAt(desired)
      if (refused !== undefined) return refused
      const thing = things.get(ref)
      if (thing === undefined) return { status: 'missing' }
      if (busy(thing)) return { status: 'locked' }
      const updated: CloudThing = { ...thing, desired, state: 'updating' }
      set(updated, ref)
      note('update', updated, asked)
      work(ref, () => settle(ref))
      return { status: 'accepted', ref }
    },
    remove: (ref, asked) => {
      if (throttles()) return { status: 'throttled' }
      const thing = things.get(ref)
      if (thing === undefined) return { status: 'missing' }
      if (thing.marks !== null) fence(thing.marks, Infinity)
      if (thing.state === 'deleting') return { status: 'accepted', ref }
      if (busy(thing)) return { status: 'locked' }
      const going: CloudThing = { ...thing, state: 'deleting' }
      set(going, ref)
      note('delete', going, asked)
      work(ref, () => {
        set(null, ref)
        graves.push(going)
        note('gone', going, asked)
      })
      return { status: 'accepted', ref }
    },
    read: () => {
      const present = [...things.values()]
      if (kind === 'fleet') return present
      const old = past.find(({ at }) => at >= now() - shape.staleMs)?.things
      if (old !== undefined && faults.strikes('provider eventual consistency')) return old
      // What was made a moment ago, or just began to go, is not found though it is there, for
      // as long as reads are old: a cloud that denies for ever what it still has, nobody can read.
      const shy = present.filter(
        ({ ref, state }) => old?.find((was) => was.ref === ref)?.state !== state,
      )
      if (old !== undefined && shy.length > 0 && faults.strikes('premature 404')) {
        return present.filter((thing) => !shy.includes(thing))
      }
      return present
    },
    truth: () => [...things.values()],
    buried: () => graves,
    haunt: (thing) => {
      made += 1
      const ref = `${thing.ref}-again-${made}`
      set(
        { ...thing, ref, name: `${thing.name}-again-${made}`, state: 'active', isGhost: true },
        ref,
      )
    },
    plant: (thing) => set(thing, thing.ref),
    onChange: (handle) => {
      listeners.add(handle)
      return () => listeners.delete(handle)
    },
  }
}
