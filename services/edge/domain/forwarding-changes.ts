import {
  elementsOf,
  elementsOfService,
  elementsOfSet,
  frontendMaps,
  isFrontend,
  isRange,
  keyParts,
  type Element,
} from './forwarding-elements.ts'
import type { ForwardingTable, SetId } from './forwarding-table.ts'

/** What must come into force in one step, or packets would see half of it. */
export interface Change {
  readonly deleted: readonly Element[]
  readonly added: readonly Element[]
}

/**
 * Changes that may share a transaction, which those of the next stage may not. A packet looks one thing up after the
 * other, and a transaction may come into force between two: what it finds then must go with what it found.
 */
export type Stage = readonly Change[]

/**
 * What turns one table into the other, in stages, of which every beginning is safe as well:
 *
 * 1. frontends that go, of services whose ranges go too: nobody is let in whom they kept out. Ranges of services that
 *    had none, which nobody looks up yet
 * 2. other frontends that go: nothing of a service may go while packets still find it. Slots that are new or belong to
 *    another node now, and then services, each in one step: its ranges are there before its frontend is, and are
 *    replaced at once. Slots that went with their services
 * 3. slots of sets that a service left for another, and ranges of services that have none now
 *
 * Only services and sets that differ are looked at closer; the others cost a comparison each.
 */
export const changesBetween = (
  before: ForwardingTable,
  after: ForwardingTable,
): readonly Stage[] => {
  const services: Change[] = []
  const left = new Set<SetId | undefined>()
  for (const id of idsOf(before.services, after.services)) {
    const [old, now] = [before.services.get(id), after.services.get(id)]
    if (old === now) continue
    services.push(difference(elementsOfService(id, old), elementsOfService(id, now)))
    if (now !== undefined && now.set?.id !== old?.set?.id) left.add(old?.set?.id)
  }
  const dealt: Change[] = []
  const dropped: Change[] = []
  const unused: Change[] = []
  for (const id of idsOf(before.sets, after.sets)) {
    const [old, now] = [before.sets.get(id), after.sets.get(id)]
    if (old === now) continue
    const changes = slotBySlot(difference(elementsOfSet(id, old), elementsOfSet(id, now)))
    if (now !== undefined) dealt.push(...changes)
    else if (left.has(id)) unused.push(...changes)
    else dropped.push(...changes)
  }
  return stagesOf({ dealt, services, dropped, unused })
}

/**
 * What turns what the kernel holds, whatever that is, into the table: elements that are missing, that have
 * another value, or that nobody asked for. All but slots as one service, since what is broken may hang
 * together in any way.
 */
export const repairsOf = (held: readonly Element[], table: ForwardingTable): readonly Stage[] => {
  const { deleted, added } = difference(held, elementsOf(table))
  const isSlot = ({ map }: Element): boolean => map === 'slots' || map === 'nodes'
  const isOther = (element: Element): boolean => !isSlot(element)
  const other = { deleted: deleted.filter(isOther), added: added.filter(isOther) }
  const slots = slotBySlot({ deleted: deleted.filter(isSlot), added: added.filter(isSlot) })
  return stagesOf({
    dealt: slots.filter((change) => change.added.length > 0),
    services: [other],
    dropped: [],
    unused: slots.filter((change) => change.added.length === 0),
  })
}

const stagesOf = (changes: {
  readonly dealt: readonly Change[]
  readonly services: readonly Change[]
  readonly dropped: readonly Change[]
  readonly unused: readonly Change[]
}): readonly Stage[] => {
  const services = changes.services.map(stepsOfService)
  return [
    services.map(({ first }) => first),
    [
      ...services.map(({ closed }) => closed),
      ...changes.dealt,
      ...services.map(({ whole }) => whole),
      ...changes.dropped,
    ],
    [...changes.unused, ...services.map(({ last }) => last)],
  ]
    .map((stage) => stage.filter((change) => weightOf(change) > 0))
    .filter((stage) => stage.length > 0)
}

/** Its frontends that go and its ranges apart from what makes packets find them, see `changesBetween`. */
const stepsOfService = ({ deleted, added }: Change) => {
  const left = new Set(deleted.filter(isFrontend).map(({ key }) => key))
  // With its mark, which another service may set anew when it takes the frontend.
  const goes = ({ map, key }: Element): boolean => frontendMaps.includes(map) && left.has(key)
  const [begun, ended] = [restrictedBy(added), restrictedBy(deleted)]
  const begins = (element: Element): boolean => begun.has(restrictingId(element))
  const ends = (element: Element): boolean => ended.has(restrictingId(element))
  const closed = deleted.filter(goes)
  return {
    first: {
      deleted: [...(ended.size > 0 ? closed : []), ...deleted.filter(begins)],
      added: added.filter(begins),
    },
    closed: { deleted: ended.size > 0 ? [] : closed, added: [] },
    whole: {
      deleted: deleted.filter((one) => !goes(one) && !begins(one) && !ends(one)),
      added: added.filter((one) => !begins(one)),
    },
    last: { deleted: deleted.filter(ends), added: [] },
  }
}

/** The services that are marked as having ranges. */
const restrictedBy = (elements: readonly Element[]): ReadonlySet<string> =>
  new Set(elements.flatMap(({ map, key }) => (map === 'restricted' ? [key] : [])))

/** The service that a range is of; nobody for other elements. */
const restrictingId = (element: Element): string =>
  isRange(element) ? (keyParts(element.key)[0] ?? '') : ''

/** What repairs say of what was found, a sentence for each element. */
export const differencesIn = (repairs: readonly Stage[]): readonly string[] => {
  const changes = repairs.flat()
  const added = new Map(changes.flatMap((change) => change.added.map((one) => [nameOf(one), one])))
  const deleted = changes.flatMap((change) => change.deleted)
  const wrong = new Set(deleted.map(nameOf))
  const missing = [...added].filter(([name]) => !wrong.has(name))
  return [
    ...missing.map(([name]) => `${name} was missing`),
    ...deleted.map((one) => {
      const name = nameOf(one)
      const wanted = added.get(name)
      if (wanted === undefined) return `${name} was not ordered`
      return `${name} was ${one.value ?? ''} instead of ${wanted.value ?? ''}`
    }),
  ]
}

const nameOf = ({ map, key }: Element): string => `${map} ${key}`

/** How many elements a change touches. */
export const weightOf = ({ deleted, added }: Change): number => deleted.length + added.length

/** Changes as one. */
export interface PackedChange extends Change {
  readonly parts: readonly Change[]
}

/**
 * Stages packed into transactions of at most `most` elements, in their order. Small ones keep the kernel's
 * lock free for others between two; one change is never split.
 */
export const packStages = (stages: readonly Stage[], most: number): readonly PackedChange[] =>
  stages.flatMap((stage) => packChanges(stage, most))

const packChanges = (changes: Stage, most: number): readonly PackedChange[] => {
  const packed: { deleted: Element[]; added: Element[]; parts: Change[] }[] = []
  let room = 0
  for (const change of changes) {
    if (weightOf(change) > room || packed.length === 0) {
      packed.push({ deleted: [], added: [], parts: [] })
      room = most
    }
    const last = packed.at(-1)
    last?.parts.push(change)
    for (const element of change.deleted) last?.deleted.push(element)
    for (const element of change.added) last?.added.push(element)
    room -= weightOf(change)
  }
  return packed
}

const idsOf = <T>(a: ReadonlyMap<number, T>, b: ReadonlyMap<number, T>): Iterable<number> =>
  new Set([...a.keys(), ...b.keys()])

/** Whether both have the same elements, in whatever order. */
export const areSame = (some: readonly Element[], others: readonly Element[]): boolean =>
  some.length === others.length && weightOf(difference(some, others)) === 0

/** An element whose value changed goes and comes. */
const difference = (before: readonly Element[], after: readonly Element[]): Change => {
  // Nearly all of a cold load: half a million names less.
  if (before.length === 0 || after.length === 0) return { deleted: before, added: after }
  const nameOf = ({ map, key, value }: Element): string => `${map} ${key} ${value ?? ''}`
  const [old, now] = [new Set(before.map(nameOf)), new Set(after.map(nameOf))]
  return {
    deleted: before.filter((element) => !now.has(nameOf(element))),
    added: after.filter((element) => !old.has(nameOf(element))),
  }
}

/** Slots are independent of each other: a big table may come in several transactions. */
const slotBySlot = ({ deleted, added }: Change): readonly Change[] => {
  const gone = new Map(deleted.map((element) => [element.key, element]))
  const come = added.map((element): Change => {
    const old = gone.get(element.key)
    gone.delete(element.key)
    return { deleted: old ? [old] : [], added: [element] }
  })
  return [...come, ...[...gone.values()].map((element) => ({ deleted: [element], added: [] }))]
}
