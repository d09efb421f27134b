import type { EdgeOrder, ResourceKey } from '@weir/contract'
import { backoffMs, explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import { createAnnouncer } from './announce/announcer.ts'
import { noHerald, type Herald } from './announce/herald.ts'
import { createTellingWatch } from './announce/telling.ts'
import type { DataPlane } from './data-plane/data-plane.ts'
import { generationOf, marksOf } from './domain/decide.ts'
import { newPorts } from './domain/new-ports.ts'
import type { Prober } from './health/prober.ts'
import type { SecondOpinion } from './health/second-opinion.ts'
import { createSteering } from './health/steering.ts'
import type { WaitingRoom } from './health/waiting-room.ts'
import {
  claimAfter,
  continued,
  createHolding,
  probesOf,
  type Disk,
  type Holding,
} from './holding.ts'
import type { OrderJournal } from './state/order-journal.ts'

/** Every resource this edge holds an order for, kept on disk and made so in the data plane. */
export interface Resources {
  readonly holdings: ReadonlyMap<ResourceKey, Holding>
  /** Rises with every change of what is held. */
  changes(): number
  /** Serves what the journal holds, and has it announced; for the start, before the bus. */
  restore(): Promise<void>
  /** Puts orders into force. Resolves when they are applied or refused, and on disk or known not to be. */
  obey(orders: readonly EdgeOrder[]): Promise<void>
  /**
   * Forgets the tombstones taken up before `before` that are in force and on disk. Not while an order is
   * being decided on.
   */
  forgetRemoved(before: number): Promise<void>
  /** The health of nodes changed: new flows go by it from now on. */
  reweigh(keys: Iterable<ResourceKey>): void
  /** Asks the other edges again about what is empty by health: they may not have been there to ask. */
  doubtEmptied(): void
  /** Ends the announcing: withdraws what is not served without this process. */
  close(): Promise<void>
}

export interface ResourcesOptions {
  readonly plane: DataPlane
  /** Who tells that addresses are served here; nobody where it is left out. */
  readonly herald?: Herald
  readonly prober: Prober
  readonly second: Pick<SecondOpinion, 'ask'>
  /** How soon edges that find nodes healthy which refuse this one are asked again; a second. */
  readonly askAgainMs?: number
  readonly waitingRoom: WaitingRoom
  /** The longest wait for new node ports, over all orders that come meanwhile. */
  readonly portsMs: number
  /** How long announcing may take before that is said, ms; from then on it is looked at as often. */
  readonly announceMs?: number
  readonly journal: OrderJournal
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly signal: AbortSignal
  /** What can be said of a resource changed by itself, such as a port that got free. */
  readonly onChange: (key: ResourceKey) => void
}

const retryRule = { minMs: 100, maxMs: 10_000 }

export const createResources = (options: ResourcesOptions): Resources => {
  const {
    plane,
    herald = noHerald,
    prober,
    second,
    waitingRoom,
    journal,
    clock,
    ids,
    log,
    signal,
    onChange,
  } = options
  const holdings = new Map<ResourceKey, Holding>()
  let saving = false
  let changes = 0

  const ports = { clock, log, signal }
  const announcer = createAnnouncer({
    ...ports,
    herald,
    doubt: () => plane.doubt(),
    onTold: (keys) => {
      for (const key of keys) if (noteTold(key)) onChange(key)
    },
  })

  const isCurrent = (key: ResourceKey, holding: Holding): boolean =>
    holdings.get(key) === holding && !signal.aborted
  const watchTelling = createTellingWatch<Holding>({
    ...ports,
    isCurrent,
    problem: () => plane.doubt() ?? herald.problem(),
    everyMs: options.announceMs,
    onChange,
  })
  const steering = createSteering({
    ...ports,
    prober,
    second,
    isCurrent,
    onSteered: (key, holding) => {
      void applyAgain(key, holding)
      onChange(key)
    },
    ...(options.askAgainMs === undefined ? {} : { askAgainMs: options.askAgainMs }),
  })
  /** Makes the data plane match one holding; true when what came of it is new. */
  const apply = async (key: ResourceKey, holding: Holding): Promise<boolean> => {
    const { order } = holding
    // What is not served any more is withdrawn while it still is.
    if (isCurrent(key, holding)) await announcer.claim(key, holding.claim)
    if (order.order === 'remove') {
      await plane.remove(key)
      const before = holding.outcome
      holding.outcome = { status: 'absent' }
      return before?.status !== 'absent'
    }
    const outcome = await plane.serve(order.desired, holding.targets)
    // Read only now: another call for the same holding may have answered meanwhile.
    const before = holding.outcome
    holding.outcome = outcome
    holding.claim = claimAfter(holding, outcome)
    if (isCurrent(key, holding)) void announcer.claim(key, holding.claim)
    if (outcome.status === 'serving') {
      holding.attempts = 0
      void watchTelling(key, holding)
    } else if (before?.status !== 'refused') {
      const { generation } = order.desired
      log.warn({ key, generation, problem: outcome.problem }, 'refused an order')
      void retry(key, holding)
    }
    return before?.status !== outcome.status
  }
  /** Tries a refused order again until it is served or replaced. */
  const retry = async (key: ResourceKey, holding: Holding): Promise<void> => {
    while (isCurrent(key, holding) && holding.outcome?.status === 'refused') {
      holding.attempts += 1
      await clock.sleep(backoffMs(retryRule, holding.attempts, ids.random()), signal)
      if (isCurrent(key, holding)) await applyAgain(key, holding)
    }
  }
  const noteTold = (key: ResourceKey): boolean => {
    const holding = holdings.get(key)
    if (holding?.outcome?.status !== 'serving' || holding.told) return false
    holding.told = announcer.isTold(key)
    return holding.told
  }
  const applyAgain = async (key: ResourceKey, holding: Holding): Promise<void> => {
    if (!(await apply(key, holding))) return
    noteTold(key)
    log.info({ key, state: holding.outcome?.status }, 'the state of a resource changed')
    onChange(key)
  }
  /** A port that one resource gave up may be what another waits for. */
  const retryRefused = (): void => {
    for (const [key, holding] of holdings) {
      if (holding.outcome?.status === 'refused') void applyAgain(key, holding)
    }
  }
  const hold = (order: EdgeOrder, disk: Disk): readonly [ResourceKey, Holding] => {
    const { key } = marksOf(order)
    const holding = createHolding(order, disk, clock.now())
    const before = holdings.get(key)
    if (before) continued(holding, before)
    holdings.set(key, holding)
    changes += 1
    prober.watch(key, probesOf(order))
    steering.weigh(key, holding)
    return [key, holding]
  }

  /**
   * Beside everything else: an order is in force at once, and only the word of it waits. Not with `kernel`, which
   * needs no node port: nodes answer for the address once the Service's status has it, which follows that word.
   */
  const waitForPorts = async (key: ResourceKey, holding: Holding, before: Holding | undefined) => {
    const known = before?.reached === true ? before.order : undefined
    const ports = plane.kind === 'kernel' ? [] : newPorts(holding.order, known)
    if (ports.length === 0 || holding.targets.length === 0) {
      holding.reached = true
      return
    }
    // Orders that follow fast must not put it off again and again.
    if (before?.reached === false) holding.since = before.since
    await waitingRoom.answered({
      ports,
      targets: () => holding.targets,
      isWanted: () => isCurrent(key, holding),
      until: holding.since + options.portsMs,
    })
    holding.reached = true
    if (isCurrent(key, holding)) onChange(key)
  }

  const save = async (orders: readonly EdgeOrder[]): Promise<void> => {
    try {
      await journal.record(orders)
      for (const holding of holdings.values()) holding.disk = { status: 'saved' }
    } catch (error) {
      log.error({ cause: explainError(error) }, 'orders are in force but not on disk')
      for (const order of orders) {
        const holding = holdings.get(marksOf(order).key)
        if (holding) holding.disk = { status: 'failed', problem: explainError(error) }
      }
      if (!saving) void saveUntilDone()
    }
  }
  /** The journal writes all of it anew after a failure, so an empty record is enough. */
  const saveUntilDone = async (): Promise<void> => {
    saving = true
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      await clock.sleep(backoffMs(retryRule, attempt, ids.random()), signal)
      const waiting = [...holdings].filter(([, { disk }]) => disk.status === 'failed')
      if (waiting.length === 0) break
      await journal.record([]).then(
        () => {
          for (const [key, holding] of waiting) {
            holding.disk = { status: 'saved' }
            onChange(key)
          }
        },
        () => undefined,
      )
    }
    saving = false
  }

  return {
    holdings,
    changes: () => changes,
    restore: async () => {
      const held = [...journal.orders.values()].map((order) => hold(order, { status: 'saved' }))
      // It was said before the restart, when it was true.
      for (const [, holding] of held) {
        holding.reached = true
        holding.told = true
      }
      await Promise.all(held.map(([key, holding]) => apply(key, holding)))
      announcer.begin()
    },
    obey: async (orders) => {
      const began = clock.now()
      // Nothing is reported before the journal has answered: a report would promise what it says.
      const held = orders.map((order) => {
        const before = holdings.get(marksOf(order).key)
        const [key, holding] = hold(order, { status: 'pending' })
        void waitForPorts(key, holding, before)
        return [key, holding] as const
      })
      await Promise.all([save(orders), ...held.map(([key, holding]) => apply(key, holding))])
      for (const [key, { order, outcome }] of held) {
        noteTold(key)
        const generation = generationOf(order)
        const ms = clock.now() - began
        log.info({ key, generation, state: outcome?.status, ms }, 'obeyed an order')
      }
      retryRefused()
    },
    forgetRemoved: async (before) => {
      const over = [...holdings].filter(
        ([, { order, outcome, disk, since }]) =>
          order.order === 'remove' &&
          outcome?.status === 'absent' &&
          disk.status === 'saved' &&
          since < before,
      )
      for (const [key] of over) holdings.delete(key)
      changes += over.length
      await journal.forget(over.map(([key]) => key))
    },
    doubtEmptied: () => {
      for (const [key, holding] of holdings) steering.doubt(key, holding)
    },
    reweigh: (keys) => {
      for (const key of keys) {
        const holding = holdings.get(key)
        if (holding && steering.weigh(key, holding)) void applyAgain(key, holding)
      }
    },
    close: async () => {
      // Kernel and Envoy go on forwarding, and the agent that comes next goes on with what is announced.
      if (plane.kind === 'userspace') await announcer.withdrawAll()
      await herald.close()
    },
  }
}
