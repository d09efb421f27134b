import type { EdgeOrder, ResourceKey } from '@weir/contract'
import type { Clock, Logger } from '@weir/kernel'
import { marksOf } from '../domain/decide.ts'
import { isEmptiedByHealth, withOtherWords } from '../domain/emptying.ts'
import { usableTargets, type WeightedTarget } from '../domain/usable-targets.ts'
import { probeOf, type Holding } from '../holding.ts'
import type { Prober } from './prober.ts'
import type { SecondOpinion } from './second-opinion.ts'

/** Decides which nodes take the new flows of what is held, by their health. */
export interface Steering {
  /** Brings the targets of a holding up to what is known now. Whether that changed them. */
  weigh(key: ResourceKey, holding: Holding): boolean
  /** What is empty by health is asked about again: the other edges may not have been there. */
  doubt(key: ResourceKey, holding: Holding): void
}

export interface SteeringOptions {
  readonly prober: Pick<Prober, 'healthOf'>
  readonly second: Pick<SecondOpinion, 'ask'>
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly isCurrent: (key: ResourceKey, holding: Holding) => boolean
  /** The targets changed by what other edges said. */
  readonly onSteered: (key: ResourceKey, holding: Holding) => void
  readonly askAgainMs?: number
}

type ServeOrder = Extract<EdgeOrder, { order: 'serve' }>

/** How soon edges that find nodes healthy which all refuse this one are asked again. */
const askAgainDefaultMs = 1_000

export const createSteering = (options: SteeringOptions): Steering => {
  const { prober, second, clock, log, signal, isCurrent, onSteered } = options
  const { askAgainMs = askAgainDefaultMs } = options

  const ownWord = (order: ServeOrder): readonly WeightedTarget[] =>
    usableTargets(order.desired.targets, (target) => prober.healthOf(probeOf(order, target)))
  const steer = (holding: Holding, targets: readonly WeightedTarget[]): boolean => {
    if (JSON.stringify(targets) === JSON.stringify(holding.targets)) return false
    holding.targets = targets
    holding.flowsSince = clock.now()
    return true
  }
  /** Until then the set stays as it was. */
  const emptyUnlessOthersKnow = async (
    key: ResourceKey,
    holding: Holding,
    order: ServeOrder,
  ): Promise<void> => {
    const { targets } = order.desired
    const { epoch } = marksOf(order)
    const isEmpty = (): boolean =>
      isCurrent(key, holding) && isEmptiedByHealth(targets, ownWord(order))
    holding.doubted = true
    for (let asked = 1; isEmpty() && !holding.emptied; asked += 1) {
      const words = await second.ask({ key, epoch })
      if (!isEmpty()) break
      if (steer(holding, withOtherWords(targets, words))) onSteered(key, holding)
      holding.emptied = holding.targets.length === 0
      if (holding.emptied) break
      const edges = words.map(({ edge }) => edge)
      if (asked === 1) log.warn({ key, edges }, 'nodes that all refuse this edge serve others')
      await clock.sleep(askAgainMs, signal)
    }
    holding.doubted = false
  }
  const weigh = (key: ResourceKey, holding: Holding): boolean => {
    const { order } = holding
    if (order.order === 'remove') return false
    const own = ownWord(order)
    if (isEmptiedByHealth(order.desired.targets, own)) {
      if (!holding.emptied && !holding.doubted) void emptyUnlessOthersKnow(key, holding, order)
      return false
    }
    holding.emptied = false
    return steer(holding, own)
  }
  return {
    weigh,
    doubt: (key, holding) => {
      if (!holding.emptied) return
      holding.emptied = false
      weigh(key, holding)
    },
  }
}
