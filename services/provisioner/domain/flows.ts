// Where new flows go beside what was ordered: health leaves nodes out, and edges act on it by themselves. The
// log is told afterwards, so that it can say which nodes took flows when, and why; nothing is ordered by it.
import { event, type RecordedEvent, type Target } from '@weir/contract'
import type { FlowsTold, Life, Living } from './state.ts'
import { record, type Sight, type Step } from './step.ts'

/** Before anything is told. */
export const asOrdered: FlowsTold = { weights: new Map(), at: null, run: 0 }

/** What lasted less is not worth telling: a kube-proxy that starts anew, edges that hear of it in turn. */
const settleMs = 5_000
/** The shortest time from one telling to the next: from the first to the second, and at most. */
const quietMinMs = 30_000
const quietMaxMs = 600_000
const forgetMs = 3_600_000

/** Nothing is told before this, milliseconds since the Unix epoch: a Service that flaps is told of rarely. */
const quietUntil = ({ at, run }: FlowsTold): number =>
  at === null ? 0 : Date.parse(at) + Math.min(quietMinMs * 2 ** Math.min(run - 1, 10), quietMaxMs)

type Present = Extract<Sight, { status: 'present' }>
type Serving = Extract<Living, { status: 'Programmed' }>

/**
 * What is to be told of flows that go elsewhere than the log says; undefined when there is nothing, or not
 * yet. It is looked for at routine looks alone: no change of health makes work, and what came and went
 * between two of them is not told.
 */
export const changeOfFlows = (state: Serving, sight: Present, now: number): Step | undefined => {
  const { flows, confirmedBy } = sight
  if (flows === undefined || now < quietUntil(state.flows)) return undefined
  const ageMs = now - Date.parse(flows.since)
  // A time to come is of another clock than ours, and says nothing.
  if (ageMs >= 0 && ageMs < settleMs) return undefined
  const { key, epoch, generation, desired } = state
  const changes = desired.targets.flatMap(({ node, weight }) => {
    const before = state.flows.weights.get(node) ?? weight
    const seen = flows.nodes.get(node) ?? { weight, problem: null }
    return before === seen.weight
      ? []
      : [{ node, before, after: seen.weight, problem: seen.problem }]
  })
  if (changes.length === 0) return undefined
  const serving = desired.targets.filter(({ node, weight }) => {
    const seen = flows.nodes.get(node)?.weight ?? weight
    return seen > 0
  }).length
  const { since } = flows
  return record(
    event('TargetHealthChanged', {
      key,
      epoch,
      generation,
      since,
      changes,
      serving,
      reportedBy: [...confirmedBy],
    }),
  )
}

/** What the log says once it was told. */
export const toldOf = (
  life: Life,
  { data, recordedtime }: Extract<RecordedEvent, { type: 'TargetHealthChanged' }>,
): FlowsTold => {
  const ordered = new Map(life.desired?.targets.map(({ node, weight }) => [node, weight]))
  const weights = new Map(life.flows.weights)
  for (const { node, after } of data.changes) {
    if (ordered.get(node) === after) weights.delete(node)
    else weights.set(node, after)
  }
  const { at, run } = life.flows
  const soon = at !== null && Date.parse(recordedtime) - Date.parse(at) < forgetMs
  return { weights, at: recordedtime, run: soon ? run + 1 : 1 }
}

/** What the log says after another order: who is out stays out, other shares are those of the order. */
export const toldAfterOrder = (told: FlowsTold, targets: readonly Target[]): FlowsTold => ({
  ...told,
  weights: new Map(
    targets.flatMap(({ node, weight }) =>
      weight > 0 && told.weights.get(node) === 0 ? [[node, 0]] : [],
    ),
  ),
})
