import { frontendText, type EdgeOrder } from '@weir/contract'

/** Most ports of one resource to wait for; the others come with them, since a node makes all at once. */
const portsMax = 16

/**
 * The TCP node ports that an order sends a frontend to which the one before did not, each once. UDP tells
 * nobody that it is there, and a node that answers for the address itself does so only once the Service's
 * status has it.
 *
 * @param before the order that is known to be answered; undefined when there is none.
 */
export const newPorts = (order: EdgeOrder, before: EdgeOrder | undefined): readonly number[] => {
  if (order.order === 'remove') return []
  const known = new Set(before?.order === 'serve' ? before.desired.frontends.map(wayOf) : [])
  const added = order.desired.frontends.filter(
    (frontend) => frontend.protocol === 'TCP' && !known.has(wayOf(frontend)),
  )
  const ports = added.flatMap(({ nodePort }) => (nodePort === undefined ? [] : [nodePort]))
  return [...new Set(ports)].slice(0, portsMax)
}

const wayOf = (
  frontend: Extract<EdgeOrder, { order: 'serve' }>['desired']['frontends'][number],
): string => `${frontendText(frontend)} ${frontend.nodePort ?? 'none'}`
