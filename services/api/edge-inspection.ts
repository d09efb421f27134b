// What edges say of themselves when they are asked now, beside what the log says of the same resources.
import {
  desiredHash,
  edgeAnswer,
  edgeAnswerSubject,
  edgeLooking,
  edgeQuestionSubject,
  type DesiredResource,
  type DriverName,
  type EdgeAnswer,
  type EdgeHeartbeat,
  type FleetName,
  type RecordedEvent,
  type ResourceKey,
  type ReturnFinding,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import type { LogFollower } from '@weir/drivers'
import type { EventLog } from '@weir/eventlog'
import { createKeyedQueue, type Clock, type Ids } from '@weir/kernel'
import { z } from 'zod'

/** One edge, asked now. */
export interface InspectedEdge {
  readonly fleet: string
  readonly edge: string
  readonly dataPlane: string
  /** False when it did not answer in time: it is down, or nothing reaches it. */
  readonly answered: boolean
  readonly startedAt: string
  /** What was not as the edge had made it; it is made good already. */
  readonly repaired: EdgeAnswer['repaired']
  /** Why it could not look, or what it found wrong and cannot make good. */
  readonly problem: string | null
  /** Whether nodes can answer clients directly, as far as it was tried. */
  readonly returns: readonly ReturnFinding[]
  /** How many resources the log expects there; null when edges were not compared with it. */
  readonly expected: number | null
  readonly resources: readonly InspectedResource[]
}

export type InspectedResource = EdgeAnswer['resources'][number] & {
  /** How what the edge holds differs from the log; null when it does not. */
  readonly differs: string | null
}

export interface EdgeInspectionPorts {
  readonly bus: Pick<Bus, 'hint' | 'onHint'>
  readonly log: Pick<EventLog, 'story'>
  readonly follower: LogFollower
  readonly fleet: FleetName
  /** Who orders it. */
  readonly driver: DriverName
  readonly clock: Clock
  readonly ids: Ids
  /** Edges that were heard of, alive or not. */
  readonly known: () => Promise<readonly EdgeHeartbeat[]>
}

/** The longest that an edge may be silent before it is no longer waited for. */
const patienceMs = 8_000
/** And the longest that it may look; 50,000 frontends take half a minute. */
const looksMostMs = 120_000

/** Asks every edge of the fleet. With `compare`, each resource that is held is compared with the log. */
export const inspectEdges = async (
  ports: EdgeInspectionPorts,
  compare: boolean,
): Promise<readonly InspectedEdge[]> => {
  const beats = await ports.known()
  const answers = await ask(ports, new Set(beats.map(({ edge }) => edge)))
  if (compare) await ports.follower.catchUp()
  const expected = compare ? ports.follower.places.expected(ports.driver) : null
  return Promise.all(
    beats.map(async ({ edge, dataPlane, startedAt }): Promise<InspectedEdge> => {
      const parts = answers.get(edge) ?? []
      const [first] = parts
      const held = parts.flatMap(({ resources }) => resources)
      const isWhole = first !== undefined && parts.length === first.part.count
      return {
        fleet: ports.fleet,
        edge,
        dataPlane,
        answered: isWhole,
        startedAt: first?.startedAt ?? startedAt,
        repaired: first?.repaired ?? null,
        problem: first?.problem ?? null,
        returns: parts.flatMap(({ returns }) => returns ?? []),
        expected,
        resources: await withDifferences(ports.log, held, compare),
      }
    }),
  )
}

/** Every part of every answer that came until each of `edges` has answered or was silent for too long. */
const ask = async (
  { bus, fleet, clock, ids }: EdgeInspectionPorts,
  edges: ReadonlySet<string>,
): Promise<ReadonlyMap<string, readonly EdgeAnswer[]>> => {
  const id = ids.uuid()
  const answers = new Map<string, EdgeAnswer[]>()
  const over = new AbortController()
  const began = clock.now()
  const heard = new Map([...edges].map((edge) => [edge, began]))
  const isComplete = (edge: string): boolean => {
    const parts = answers.get(edge)
    return parts !== undefined && parts.length === parts[0]?.part.count
  }
  const waitMs = (): number => {
    const silences = [...heard].map(([edge, at]) => (isComplete(edge) ? 0 : at + patienceMs))
    return Math.min(Math.max(...silences), began + looksMostMs) - clock.now()
  }
  const take = (body: string): void => {
    const said = word.safeParse(parseJson(body)).data
    if (said?.id !== id || !heard.has(said.edge)) return
    heard.set(said.edge, clock.now())
    if ('looking' in said) return
    answers.set(said.edge, [...(answers.get(said.edge) ?? []), said])
    if ([...edges].every(isComplete)) over.abort()
  }
  if (edges.size === 0) return answers
  bus.onHint(edgeAnswerSubject(id), take, over.signal)
  bus.hint(edgeQuestionSubject(fleet), JSON.stringify({ id }))
  while (!over.signal.aborted) {
    const leftMs = waitMs()
    if (leftMs > 0) await clock.sleep(leftMs, over.signal)
    else over.abort()
  }
  return answers
}

const word = z.union([edgeLooking, edgeAnswer])

const withDifferences = async (
  log: EdgeInspectionPorts['log'],
  resources: EdgeAnswer['resources'],
  compare: boolean,
): Promise<readonly InspectedResource[]> => {
  // Few stories are read at once: there may be thousands.
  const queue = createKeyedQueue(8)
  const one = async (held: EdgeAnswer['resources'][number]): Promise<InspectedResource> => {
    const { tenant, service } = held.marks
    const differs = compare ? difference(held, await log.story(tenant, service)) : null
    return { ...held, differs }
  }
  return Promise.all(resources.map((held) => queue.run(held.marks.key, () => one(held))))
}

/** How what an edge holds differs from what was intended last; null when it is that. */
const difference = (
  held: EdgeAnswer['resources'][number],
  story: readonly RecordedEvent[],
): string | null => {
  const { key, epoch } = held.marks
  const intent = lastIntent(story, key)
  if (intent === undefined) return 'the log knows nothing of it'
  if (intent === 'removed') return 'the log has it removed'
  const { generation, marks } = intent
  if (marks.epoch !== epoch) return `epoch ${epoch}, and the log has ${marks.epoch}`
  if (generation !== held.generation) {
    return `generation ${held.generation}, and the log has ${generation}`
  }
  return desiredHash(intent) === held.hash ? null : 'other content than the log has'
}

/** What is intended of a resource now: its last intent, with the targets as they changed since. */
const lastIntent = (
  story: readonly RecordedEvent[],
  key: ResourceKey,
): DesiredResource | 'removed' | undefined => {
  let intent: DesiredResource | 'removed' | undefined
  for (const { type, data } of story) {
    if (type === 'ResourceIntended' && data.key === key) intent = data.desired
    if (type === 'ResourceDeleteIntended' && data.key === key) intent = 'removed'
    if (type !== 'TargetsChanged' || data.key !== key || typeof intent !== 'object') continue
    intent = { ...intent, targets: data.after, generation: data.generation }
  }
  return intent
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
