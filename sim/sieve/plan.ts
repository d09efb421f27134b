import { OperatingError } from '@weir/kernel'
import { noCounts, type CallKind, type FaultPlan } from '../faults.ts'
import { plainFate, type Actor, type Fate } from '../scheduler/actor.ts'

/** One thing that goes wrong in a story. */
export type Plan =
  | { readonly what: 'nothing' }
  /** The caller of a call, counted over the calls that matter, ends before or after its effect. */
  | { readonly what: 'crash'; readonly call: number; readonly when: 'before' | 'after' }
  /** The call has its effect and its caller hears of a failure. */
  | { readonly what: 'lost'; readonly call: number }
  /** What was observed before an act is delivered again after it. */
  | { readonly what: 'stale'; readonly act: number }
  /** The bus loses everything so many milliseconds after an act. */
  | { readonly what: 'wipe'; readonly act: number; readonly afterMs: number }
  /** Nobody sees the cluster from before an act until after the next. */
  | { readonly what: 'hidden'; readonly act: number }

export const wordsOf = (plan: Plan): string => {
  switch (plan.what) {
    case 'nothing':
      return 'nothing goes wrong'
    case 'crash':
      return `crash ${plan.when} call ${plan.call}`
    case 'lost':
      return `the reply of call ${plan.call} is lost`
    case 'stale':
      return `what was seen before act ${plan.act} comes again after it`
    case 'wipe':
      return `the bus loses everything ${plan.afterMs} ms after act ${plan.act}`
    case 'hidden':
      return `act ${plan.act} and the next are not seen one by one`
  }
}

/** The calls that change something; a crash between two others is a crash before one of these. */
const kinds: readonly CallKind[] = ['log-write', 'bus', 'kube-write', 'provider-write']

export interface SievePlan extends FaultPlan {
  /** Calls that mattered so far. */
  readonly calls: () => number
  /** How a process is ended. */
  onCrash(kill: (actor: Actor) => void): void
  /** Whether calls count now. */
  count(on: boolean): void
}

export const createSievePlan = (plan: Plan): SievePlan => {
  const watches = new Set<() => void>()
  let calls = 0
  let counting = true
  let kill: (actor: Actor) => void = () => undefined
  const mine = (): boolean => (plan.what === 'crash' || plan.what === 'lost') && plan.call === calls

  const fateOf = (kind: CallKind, actor: Actor): Fate => {
    if (!counting || !kinds.includes(kind)) return plainFate
    calls += 1
    if (!mine()) return plainFate
    if (plan.what === 'lost') {
      return { ...plainFate, lost: new OperatingError('no answer: timed out') }
    }
    if (plan.what !== 'crash') return plainFate
    return { ...plainFate, crash: { when: plan.when, kill: () => kill(actor) } }
  }
  return {
    counts: noCounts(),
    calls: () => calls,
    onCrash: (how) => (kill = how),
    count: (on) => (counting = on),
    strikes: () => false,
    fateOf,
    lies: () => false,
    lineDelayMs: () => 0,
    someMs: (most) => most / 2,
    anyMs: (most) => most / 2,
    onCut: (actor, cut) => {
      watches.add(cut)
      actor.onDeath(() => watches.delete(cut))
    },
    cutWatches: () => {
      for (const cut of watches) cut()
      watches.clear()
    },
    heal: () => undefined,
    healed: () => true,
  }
}
