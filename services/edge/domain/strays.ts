import { frontendMaps, isFrontend, isRange, keyParts, type Element } from './forwarding-elements.ts'
import { classIdOf, type ForwardingTable } from './forwarding-table.ts'

/**
 * What no packet is led to: an agent that is killed between two transactions leaves it behind. It would else count for
 * whatever gets its id or has ranges next.
 *
 * @param table what the elements make, see `adoptedTable`
 */
export const straysIn = (
  elements: readonly Element[],
  table: ForwardingTable,
): readonly Element[] => {
  const frontends = elements.filter(isFrontend)
  const opened = new Set(frontends.map(({ key }) => key))
  const served = new Set(frontends.map(({ value }) => value))
  const ofServed = elements.filter(({ key }) => served.has(key))
  const restricted = new Set(ofServed.flatMap(({ map, key }) => (map === 'restricted' ? key : [])))
  const used = new Set(ofServed.flatMap(({ map, value }) => (map.startsWith('pool') ? value : [])))
  const isStray = (element: Element): boolean => {
    const { map, key } = element
    if (frontendMaps.includes(map)) return !opened.has(key)
    const [id = '', part = ''] = keyParts(key)
    if (isRange(element)) return !restricted.has(id)
    if (map === 'slots') return !used.has(id)
    if (map !== 'nodes') return !served.has(key)
    const slots = table.sets.get(classIdOf(id) ?? 0)?.slots
    return !used.has(id) || (slots !== undefined && !slots.includes(part))
  }
  return elements.filter(isStray)
}
