import { cidr, type Cidr } from '@weir/contract'
import { keptBy } from './affinity-class.ts'
import { keyParts, type Element, type MapName } from './forwarding-elements.ts'
import {
  classIdOf,
  type BackendSet,
  type ForwardedService,
  type ForwardingTable,
  type FrontendState,
  type SetId,
} from './forwarding-table.ts'
import { tableSizes, type TableSize } from './maglev.ts'

/**
 * The table that these elements make. What makes no sense, such as ranges of a service without frontends
 * or a set with a slot missing, is left out: `straysIn` has what no packet meets, and what else differs from what is
 * wanted is repaired.
 */
export const adoptedTable = (elements: readonly Element[]): ForwardingTable => {
  const of = (map: MapName) => elements.filter((element) => element.map === map)
  const services = new Map<number, Draft>()
  for (const { key, value = '' } of [...of('fe'), ...of('fe6')]) {
    const id = classIdOf(value)
    if (id === undefined) continue
    const service = services.get(id) ?? draft()
    services.set(id, service)
    service.frontends.set(key, 'open')
  }
  const serviceAt = (text: string): Draft | undefined => services.get(classIdOf(text) ?? 0)
  const closing = new Set([...of('closing'), ...of('closing6')].map(({ key }) => key))
  for (const { frontends } of services.values()) {
    for (const key of frontends.keys()) if (closing.has(key)) frontends.set(key, 'closing')
  }
  for (const { key } of of('restricted')) {
    const service = serviceAt(key)
    if (service) service.ranges = []
  }
  for (const { key } of [...of('allow'), ...of('allow6')]) {
    const [id = '', range = ''] = keyParts(key)
    const parsed = cidr.safeParse(range)
    if (parsed.success) serviceAt(id)?.ranges?.push(parsed.data)
  }
  const keeps = new Map(of('keeps').map(({ key, value = '' }) => [key, keptBy(value)]))
  for (const { key } of of('sticky')) {
    const service = serviceAt(key)
    if (service) service.affinity = keeps.get(key)
  }
  const expected = tableSizes.flatMap((size) =>
    of(`pool${size}`).flatMap(({ key, value = '' }) => {
      const [service, id] = [serviceAt(key), classIdOf(value)]
      return service && id !== undefined ? [{ service, set: { id, size } }] : []
    }),
  )
  const sets = setsOf(
    of('slots'),
    expected.map(({ set }) => set),
  )
  for (const { service, set } of expected) {
    if (sets.get(set.id)?.size === set.size) service.set = set
  }
  return { services, sets }
}

type Draft = {
  -readonly [Name in keyof ForwardedService]: Name extends 'frontends'
    ? Map<string, FrontendState>
    : Name extends 'ranges'
      ? Cidr[] | undefined
      : ForwardedService[Name]
}
const draft = (): Draft => ({
  frontends: new Map(),
  ranges: undefined,
  affinity: undefined,
  set: undefined,
})

/** Sets with every slot of the size that some service expects of them. */
const setsOf = (
  slots: readonly Element[],
  expected: readonly { readonly id: SetId; readonly size: TableSize }[],
): ReadonlyMap<SetId, BackendSet> => {
  const found = new Map<SetId, Map<number, string>>()
  for (const { key, value = '' } of slots) {
    const [text = '', slot = ''] = keyParts(key)
    const id = classIdOf(text)
    if (id === undefined) continue
    const own = found.get(id) ?? new Map<number, string>()
    found.set(id, own)
    own.set(Number(slot), value)
  }
  const sets = new Map<SetId, BackendSet>()
  for (const { id, size } of expected) {
    const own = found.get(id)
    if (own?.size !== size || sets.has(id)) continue
    const macs = Array.from({ length: size }, (_, slot) => own.get(slot))
    const complete = macs.filter((mac) => mac !== undefined)
    if (complete.length === size) sets.set(id, { size, slots: complete })
  }
  return sets
}
