import type { Clock } from '@weir/kernel'

/** One connection or UDP session of a resource. */
export interface Flow {
  /** Which frontend took it, as `frontendText` writes it. */
  readonly frontend: string
  readonly node: string
  /** Ends it now, so that both sides notice. */
  cut(): void
}

/** What a resource is carrying. */
export interface Flows {
  add(flow: Flow): void
  delete(flow: Flow): void
  readonly size: number
  /** Flows that `isOrdered` denies go on for the drain limit and are cut if it still denies them. */
  drain(isOrdered: (flow: Flow) => boolean): void
  /** Cuts all of them now. */
  cutAll(): void
}

export interface FlowsOptions {
  readonly clock: Clock
  readonly drainMs: number
}

export const createFlows = ({ clock, drainMs }: FlowsOptions): Flows => {
  const flows = new Set<Flow>()
  /** Since when each flow is without an order. */
  const leaving = new Map<Flow, number>()
  const ended = new AbortController()

  const cutOverdue = async (): Promise<void> => {
    await clock.sleep(drainMs, ended.signal)
    const overdue = clock.now() - drainMs
    for (const [flow, since] of leaving) if (since <= overdue) flow.cut()
  }
  return {
    add: (flow) => void flows.add(flow),
    delete: (flow) => {
      flows.delete(flow)
      leaving.delete(flow)
    },
    get size() {
      return flows.size
    },
    drain: (isOrdered) => {
      const now = clock.now()
      const before = leaving.size
      for (const flow of flows) {
        if (isOrdered(flow)) leaving.delete(flow)
        else if (!leaving.has(flow)) leaving.set(flow, now)
      }
      if (leaving.size > before) void cutOverdue()
    },
    cutAll: () => {
      ended.abort()
      for (const flow of flows) flow.cut()
    },
  }
}
