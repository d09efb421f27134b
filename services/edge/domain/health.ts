import type { TargetHealth } from '@weir/contract'

/**
 * What one node is known to be, from its probes. It is a matter of two questions. Does it answer?
 *
 *   it           and then                                     is
 *   answers      silent `fall` times in a row                 fallen
 *   is fallen    answers `rise` times in a row                back, unless it is held down
 *   is fallen    any silence                                  fallen: the answers are counted anew
 *   falls again  within `calmMs` of its coming back           held down from the fall on, for `holdMinMs`,
 *                                                             and for twice as long each further time,
 *                                                             `holdMaxMs` at most
 *   falls        after more than that                         fallen for the first time
 *
 * And what did it say last?
 *
 *   word         what it was                                  it is, if it is not fallen
 *   none         it was never heard of                        unknown
 *   ready        200, and a weight above 0 where one is told  healthy at once
 *   not-ready    503, or weight 0                             unhealthy at once, also if it is fallen
 *   unclear      200 that tells no weight where one is due    unknown: the Service's entry may just have
 *                                                             vanished there (kube-proxy then says 200)
 *
 * So a node that says 503 and then 200 goes and comes at once, however often: it knows. One that goes
 * silent and comes back is trusted less each time.
 */
export interface NodeHealth {
  readonly state: TargetHealth['state']
  /** Ready pods on the node as it told last; null where it tells nothing. */
  readonly weight: number | null
  readonly problem: string | null
  /** What the node said of itself when it last said anything. */
  readonly lastWord: 'none' | 'ready' | 'not-ready' | 'unclear'
  /** Silent probes in a row. */
  readonly silences: number
  /** Answers in a row since it fell silent; of a node that is not fallen 0. */
  readonly answers: number
  readonly fallen: boolean
  /** Falls that came soon after one another. */
  readonly falls: number
  /** Milliseconds since the Unix epoch: no coming back before. */
  readonly heldUntil: number
  /** When it last came back, in milliseconds since the Unix epoch. */
  readonly backAt: number
}

export type ProbeAnswer =
  | { readonly kind: 'ready'; readonly weight: number | null }
  | { readonly kind: 'not-ready'; readonly weight: number | null; readonly problem: string }
  | { readonly kind: 'unclear'; readonly problem: string }
  /** `timedOut` when nothing at all came back, not even a refusal. */
  | { readonly kind: 'silent'; readonly problem: string; readonly timedOut?: boolean }

export interface HealthRules {
  /** Silent probes in a row that make a node fall. */
  readonly fall: number
  /** Answers in a row that bring a fallen one back. */
  readonly rise: number
  readonly holdMinMs: number
  readonly holdMaxMs: number
  /** A node that answered for so long has done with its past. */
  readonly calmMs: number
}

/** With a probe every two seconds, a second fall is held for as long as five probes take. */
export const healthRules: HealthRules = {
  fall: 2,
  rise: 2,
  holdMinMs: 10_000,
  holdMaxMs: 160_000,
  calmMs: 300_000,
}

/** Before the first probe. */
export const neverProbed: NodeHealth = {
  state: 'unknown',
  weight: null,
  problem: null,
  lastWord: 'none',
  silences: 0,
  answers: 0,
  fallen: false,
  falls: 0,
  heldUntil: 0,
  backAt: 0,
}

/** @param now milliseconds since the Unix epoch. */
export const afterProbe = (
  before: NodeHealth,
  answer: ProbeAnswer,
  { rules, now }: { readonly rules: HealthRules; readonly now: number },
): NodeHealth => {
  if (answer.kind === 'silent') return afterSilence(before, answer.problem, { rules, now })
  const said: NodeHealth = {
    ...before,
    silences: 0,
    lastWord: answer.kind,
    weight: answer.kind === 'unclear' ? null : answer.weight,
    problem: answer.kind === 'ready' ? null : answer.problem,
  }
  if (!before.fallen) return { ...said, state: stateOf(answer.kind) }
  const answers = Math.min(before.answers + 1, rules.rise)
  if (answers < rules.rise || now < before.heldUntil) {
    const problem = said.problem ?? notTrusted(before)
    return { ...said, state: 'unhealthy', answers, problem }
  }
  return { ...said, state: stateOf(answer.kind), answers: 0, fallen: false, backAt: now }
}

const stateOf = (word: 'ready' | 'not-ready' | 'unclear'): NodeHealth['state'] => {
  if (word === 'unclear') return 'unknown'
  return word === 'ready' ? 'healthy' : 'unhealthy'
}

/** The same words for as long as it lasts: each other one is a report of every edge. */
const notTrusted = ({ falls, heldUntil }: NodeHealth): string =>
  heldUntil === 0
    ? 'fell silent and answers again'
    : `fell silent ${falls} times; left out until ${new Date(heldUntil).toISOString()}`

const afterSilence = (
  before: NodeHealth,
  problem: string,
  { rules, now }: { readonly rules: HealthRules; readonly now: number },
): NodeHealth => {
  const silences = Math.min(before.silences + 1, rules.fall)
  if (before.fallen) return { ...before, silences, answers: 0, problem }
  if (silences < rules.fall) return { ...before, silences }
  const falls = now - before.backAt < rules.calmMs ? before.falls + 1 : 1
  const holdMs = Math.min(rules.holdMinMs * 2 ** Math.min(falls - 2, 30), rules.holdMaxMs)
  const heldUntil = falls < 2 ? 0 : now + holdMs
  return { ...before, state: 'unhealthy', problem, silences, fallen: true, falls, heldUntil }
}

/** Whether a node is there again and only not trusted yet. */
export const isReturning = ({ fallen, answers, lastWord }: NodeHealth): boolean =>
  fallen && answers > 0 && lastWord === 'ready'

/** Whether two states are the same to whoever chooses targets or reads reports. */
export const looksSame = (a: NodeHealth, b: NodeHealth): boolean =>
  a.state === b.state &&
  a.weight === b.weight &&
  a.problem === b.problem &&
  a.lastWord === b.lastWord &&
  isReturning(a) === isReturning(b)

export interface HttpAnswer {
  readonly status: number
  /** The value of `X-Load-Balancing-Endpoint-Weight`. */
  readonly weightHeader: string | undefined
  readonly body: string
}

const wholeNumber = (text: string): number | undefined =>
  /^\d{1,6}$/.test(text.trim()) ? Number(text) : undefined

const localEndpoints = (body: string): number | undefined => {
  const found = /"localEndpoints"\s*:\s*(\d{1,6})\b/.exec(body)
  return found?.[1] === undefined ? undefined : Number(found[1])
}

/**
 * Reads kube-proxy's answer. A healthCheckNodePort tells its weight in a header since Kubernetes 1.28
 * and in its JSON body before.
 */
export const readAnswer = (answer: HttpAnswer, weightFromHeader: boolean): ProbeAnswer => {
  if (answer.status === 503) {
    return { kind: 'not-ready', weight: weightFromHeader ? 0 : null, problem: 'answered 503' }
  }
  if (answer.status !== 200) return { kind: 'silent', problem: `answered ${answer.status}` }
  if (!weightFromHeader) return { kind: 'ready', weight: null }
  const told = answer.weightHeader === undefined ? undefined : wholeNumber(answer.weightHeader)
  const weight = told ?? localEndpoints(answer.body)
  if (weight === undefined) {
    return { kind: 'unclear', problem: 'answered 200 without a weight' }
  }
  if (weight > 0) return { kind: 'ready', weight }
  return { kind: 'not-ready', weight: 0, problem: 'has no ready pod' }
}
