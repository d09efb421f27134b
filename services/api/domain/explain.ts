// Why a load balancer is as it is, in sentences: what happened, what it waits for, what to do.
import type { BalancerView, Stage } from './balancer-view.ts'
import { statusText } from './balancer-view.ts'

/** A step with the time since the step before. */
export interface TimedStage extends Stage {
  /** Milliseconds since the step before; null for the first. */
  readonly afterMs: number | null
}

export interface Explanation {
  readonly summary: string
  readonly timeline: readonly TimedStage[]
}

/** Explains the current life of a load balancer. */
export const explain = (view: BalancerView): Explanation => ({
  summary: `${view.namespace}/${view.name} ${statusText(view.status)}`,
  timeline: view.stages.map((stage, index) => {
    const before = view.stages[index - 1]
    const afterMs = before ? Date.parse(stage.at) - Date.parse(before.at) : null
    return { ...stage, afterMs }
  }),
})
