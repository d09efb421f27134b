import { keyParts, type Element, type MapName } from './forwarding-changes.ts'
import { classIdOf, type ForwardingTable } from './forwarding-table.ts'

const poolMaps: readonly MapName[] = ['pool61', 'pool1021', 'pool65537']
const frontendMarks: readonly MapName[] = ['inner', 'inner6', 'closing', 'closing6']

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
  const frontends = elements.filter(({ map }) => map === 'fe' || map === 'fe6')
  const opened = new Set(frontends.map(({ key }) => key))
  const served = new Set(frontends.map(({ value }) => value))
  const ofServed = (map: MapName): readonly Element[] =>
    elements.filter((element) => element.map === map && served.has(element.key))
  const restricted = new Set(ofServed('restricted').map(({ key }) => key))
  const used = new Set(poolMaps.flatMap((map) => ofServed(map).map(({ value }) => value)))
  const isStray = ({ map, key }: Element): boolean => {
    const [id = '', part = ''] = keyParts(key)
    if (map === 'fe' || map === 'fe6') return false
    if (frontendMarks.includes(map)) return !opened.has(key)
    if (map === 'allow' || map === 'allow6') return !restricted.has(id)
    if (map === 'slots') return !used.has(id)
    if (map !== 'nodes') return !served.has(key)
    const slots = table.sets.get(classIdOf(id) ?? 0)?.slots
    return !used.has(id) || (slots !== undefined && !slots.includes(part))
  }
  return elements.filter(isStray)
}
