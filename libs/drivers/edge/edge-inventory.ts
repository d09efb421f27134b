import {
  edgeOrder,
  streams,
  type EdgeHeartbeat,
  type FleetName,
  type OwnershipMarks,
} from '@weir/contract'
import { OperatingError, type Clock } from '@weir/kernel'
import type { InventoryItem, InventoryPage } from '../driver.ts'
import type { EdgeBus } from './edge-bus.ts'
import type { FleetView } from './fleet-view.ts'

/** The one kind of thing that a fleet holds. */
const kind = 'load balancer'
const pageSize = 1000
/** Inventories that may be under way at the same time; the oldest gives way. */
const maxOpen = 4

interface InventorySource {
  readonly bus: EdgeBus
  readonly clock: Clock
  readonly fleet: FleetName
}

/**
 * Lists everything a fleet holds or is told to hold, in one walk over the bus however many pages: first
 * what the heartbeats of edges list that are not gone, then orders to serve that no edge holds yet. A
 * cursor names a walk under way in this process and works once.
 * @throws OperatingError when no edge of the fleet was ever heard of, the bus does not answer, or the
 *   cursor's walk is over: begin again.
 */
export const createInventory = (source: InventorySource, view: FleetView) => {
  const open = new Map<string, AsyncIterator<InventoryItem>>()
  let walks = 0

  const resume = (cursor: string): AsyncIterator<InventoryItem> => {
    const walk = open.get(cursor)
    if (walk !== undefined) return walk
    throw new OperatingError(`cannot list fleet ${source.fleet} from ${cursor}: that walk is over`)
  }
  const keep = (walk: AsyncIterator<InventoryItem>): string => {
    walks += 1
    const cursor = `walk-${walks}`
    open.set(cursor, walk)
    const [oldest] = open.keys()
    if (open.size > maxOpen && oldest !== undefined) open.delete(oldest)
    return cursor
  }

  return async (cursor?: string): Promise<InventoryPage> => {
    const walk = cursor === undefined ? walkFleet(source, view) : resume(cursor)
    if (cursor !== undefined) open.delete(cursor)
    const resources: InventoryItem[] = []
    while (resources.length < pageSize) {
      const step = await walk.next()
      if (step.done) return { resources }
      resources.push(step.value)
    }
    return { resources, next: keep(walk) }
  }
}

async function* walkFleet(
  { bus, clock, fleet }: InventorySource,
  view: FleetView,
): AsyncGenerator<InventoryItem, void> {
  const stream = streams.edge.name
  for await (const message of bus.lastOfEach(stream, `weir.edge.${fleet}.heartbeat.>`)) {
    view.take(message, clock.now())
  }
  const unread = view.unread(clock.now())
  if (unread.length > 0) {
    const names = unread.join(', ')
    throw new OperatingError(`cannot list fleet ${fleet}: ${names} has not told all yet`, {
      retry: { afterMs: 5_000 },
    })
  }
  const held = heldByEdges(view, clock.now())
  if (held === undefined) {
    throw new OperatingError(`cannot list fleet ${fleet}: no edge of it was ever heard of`)
  }
  yield* held.values()
  for await (const message of bus.lastOfEach(stream, `weir.edge.${fleet}.order.*`)) {
    const item = orderedItem(message)
    if (item !== undefined && !held.has(item.ref)) yield item
  }
}

const heldByEdges = (view: FleetView, now: number): Map<string, InventoryItem> | undefined => {
  const edges = view.edges(now)
  if (edges.length === 0) return undefined
  const held = new Map<string, InventoryItem>()
  for (const { heartbeat, standing } of edges) {
    if (standing === 'gone') continue
    for (const item of heartbeat.resources.map(toItem)) {
      const known = held.get(item.ref)
      if (known === undefined || known.generation < item.generation) held.set(item.ref, item)
    }
  }
  return held
}

/** The resource an order asks to serve; none for a tombstone; one without marks if unreadable. */
const orderedItem = (message: { readonly subject: string; readonly body: string }) => {
  const order = edgeOrder.safeParse(parseJson(message.body))
  if (!order.success) return { kind, ref: message.subject, marks: null, generation: 0 }
  return order.data.order === 'serve' ? toItem(order.data.desired) : undefined
}

/** A fleet's own name for an incarnation of a resource. */
export const refOf = ({ installation, key, epoch }: OwnershipMarks): string =>
  `${installation}/${key}/${epoch}`

const toItem = ({ marks, generation }: EdgeHeartbeat['resources'][number]): InventoryItem => ({
  kind,
  ref: refOf(marks),
  marks,
  generation,
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
