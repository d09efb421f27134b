import type { TargetHealth } from '@weir/contract'

/**
 * What one node is known to be, from its probes.
 *
 *   answer      what it was                                  state becomes
 *   ready       200, and a weight above 0 where one is told  healthy at once
 *   not-ready   503, or weight 0                             unhealthy at once, and known to say no
 *   unclear     200 that tells no weight where one is due    unknown: the Service's entry may just have
 *                                                            vanished there (kube-proxy then says 200)
 *   silent      no answer in time, or not one of kube-proxy  unhealthy after `fall` in a row
 */
export interface NodeHealth {
  readonly state: TargetHealth['state']
  /** Ready pods on the node as it told last; null where it tells nothing. */
  readonly weight: number | null
  readonly problem: string | null
  /** Silent probes in a row. */
  readonly silences: number
  /** What the node said of itself when it last said anything. */
  readonly lastWord: 'none' | 'ready' | 'not-ready' | 'unclear'
}

export type ProbeAnswer =
  | { readonly kind: 'ready'; readonly weight: number | null }
  | { readonly kind: 'not-ready'; readonly weight: number | null; readonly problem: string }
  | { readonly kind: 'unclear'; readonly problem: string }
  | { readonly kind: 'silent'; readonly problem: string }

/** Before the first probe. */
export const neverProbed: NodeHealth = {
  state: 'unknown',
  weight: null,
  problem: null,
  silences: 0,
  lastWord: 'none',
}

/** @param fall silent probes in a row that make a node unhealthy. */
export const afterProbe = (before: NodeHealth, answer: ProbeAnswer, fall: number): NodeHealth => {
  switch (answer.kind) {
    case 'ready':
      return {
        state: 'healthy',
        weight: answer.weight,
        problem: null,
        silences: 0,
        lastWord: 'ready',
      }
    case 'not-ready':
      return {
        state: 'unhealthy',
        weight: answer.weight,
        problem: answer.problem,
        silences: 0,
        lastWord: 'not-ready',
      }
    case 'unclear':
      return {
        state: 'unknown',
        weight: null,
        problem: answer.problem,
        silences: 0,
        lastWord: 'unclear',
      }
    case 'silent': {
      const silences = Math.min(before.silences + 1, fall)
      if (silences < fall) return { ...before, silences }
      return { ...before, state: 'unhealthy', problem: answer.problem, silences }
    }
  }
}

/** Whether two states are the same to whoever chooses targets or reads reports. */
export const looksSame = (a: NodeHealth, b: NodeHealth): boolean =>
  a.state === b.state &&
  a.weight === b.weight &&
  a.problem === b.problem &&
  a.lastWord === b.lastWord

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
