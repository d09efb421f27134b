import {
  edgeAnswerSubject,
  edgeQuestion,
  edgeQuestionSubject,
  type EdgeAnswer,
  type EdgeId,
  type EdgeLooking,
  type FleetName,
  type ResourceKey,
  type ReturnFinding,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import { createKeyedQueue, explainError, type Clock, type Logger } from '@weir/kernel'
import type { DataPlane, Inspection } from './data-plane/data-plane.ts'
import { generationOf, marksOf } from './domain/decide.ts'
import type { Holding } from './holding.ts'

export interface InspectorOptions {
  readonly bus: Pick<Bus, 'hint' | 'onHint'>
  readonly fleet: FleetName
  readonly edge: EdgeId
  readonly startedAt: string
  readonly plane: DataPlane
  readonly holdings: ReadonlyMap<ResourceKey, Holding>
  /** Whether nodes can answer clients directly. */
  readonly returns: () => readonly ReturnFinding[]
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** Most resources in one message. */
  readonly partMax?: number
}

type Asked = EdgeAnswer['resources'][number]

/** About a kilobyte each, and a server takes a megabyte in one message. */
const partDefaultMax = 500
/** Looks cost the kernel's lock: questions that come faster than they are answered are not answered. */
const waitingMost = 4
const tellEveryMs = 2000

/** Looks at what forwards packets here whenever somebody asks the fleet, and answers with all of it. */
export const answerQuestions = (options: InspectorOptions): void => {
  const { bus, fleet, edge, plane, clock, log, signal } = options
  const turn = createKeyedQueue(1)
  let waiting = 0

  const answer = async (id: string): Promise<void> => {
    const looked = await look(plane)
    for (const part of answerParts(options, id, looked)) {
      bus.hint(edgeAnswerSubject(id), JSON.stringify(part))
    }
  }
  const tellLooking = async (id: string, until: AbortSignal): Promise<void> => {
    const looking: EdgeLooking = { id, edge, looking: true }
    while (!until.aborted) {
      bus.hint(edgeAnswerSubject(id), JSON.stringify(looking))
      await clock.sleep(tellEveryMs, until)
    }
  }
  const take = async (body: string): Promise<void> => {
    const asked = edgeQuestion.safeParse(parseJson(body))
    if (!asked.success || waiting >= waitingMost) return
    waiting += 1
    const { id } = asked.data
    const answered = new AbortController()
    try {
      await Promise.all([
        tellLooking(id, AbortSignal.any([answered.signal, signal])),
        turn.run('questions', () => answer(id)).finally(() => answered.abort()),
      ])
    } catch (error) {
      log.warn({ cause: explainError(error) }, 'cannot answer a question about this edge')
    } finally {
      waiting -= 1
    }
  }
  bus.onHint(edgeQuestionSubject(fleet), (body) => void take(body), signal)
}

const look = async (plane: DataPlane): Promise<Inspection> => {
  try {
    return await plane.inspect()
  } catch (error) {
    const problem = `it cannot look at its table: ${explainError(error)}`
    return { repaired: null, flows: undefined, problem }
  }
}

/** At least one part, so that an edge that holds nothing answers too. */
const answerParts = (
  options: InspectorOptions,
  id: string,
  looked: Inspection,
): readonly EdgeAnswer[] => {
  const { fleet, edge, startedAt, plane, partMax = partDefaultMax } = options
  const all = [...options.holdings.values()].flatMap((holding) => askedOf(holding, looked))
  const count = Math.max(1, Math.ceil(all.length / partMax))
  const { repaired } = looked
  const problem = looked.problem?.slice(0, 500) ?? null
  const about = { id, fleet, edge, dataPlane: plane.kind, startedAt, repaired, problem }
  return Array.from({ length: count }, (_, number) => ({
    ...about,
    part: { number, count },
    ...(number === 0 ? { returns: [...options.returns()] } : {}),
    resources: all.slice(number * partMax, (number + 1) * partMax),
  }))
}

const askedOf = (holding: Holding, { flows }: Inspection): readonly Asked[] => {
  const { order, outcome, hash, targets } = holding
  if (order.order === 'remove') return []
  const marks = marksOf(order)
  return [
    {
      marks,
      generation: generationOf(order),
      hash,
      state: outcome?.status ?? 'pending',
      problem: outcome?.status === 'refused' ? outcome.problem.slice(0, 500) : null,
      frontends: order.desired.frontends.map(({ ip, protocol, port }) => ({ ip, protocol, port })),
      targets: targets.map(({ node, weight }) => ({ node, weight })),
      flows: flows?.get(marks.key) ?? null,
    },
  ]
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
