import { streams } from '@weir/contract'
import { createReconciler } from '@weir/eventlog'
import { consumer, createAllocator } from '../../services/allocator/handle.ts'
import { readService } from '../../services/allocator/observations.ts'
import { openProjection } from '../../services/allocator/projection.ts'
import { joinBackbone } from './backbone.ts'
import { silentTrace, type Machine } from './machine.ts'

/** What `services/allocator/main.ts` wires. */
export const hostAllocator = async (machine: Machine): Promise<void> => {
  const { clock, ids, logger, bus, pace } = machine
  const { store, feed } = joinBackbone(machine, consumer)
  const projection = await openProjection({ store, clock })
  const allocator = createAllocator({
    store,
    projection,
    clock,
    log: logger,
    trace: silentTrace,
    metrics: { stage: () => undefined },
  })
  const { keysOf, reconcile } = allocator
  const common = { consumer, store, clock, ids, logger, keysOf, reconcile }
  const reconciler = createReconciler({ ...common, passMs: pace.passMs })
  feed(reconciler, consumer)
  bus
    .consume({
      stream: streams.obs.name,
      filter: 'weir.obs.*.*.service.*',
      durable: `${consumer}-services`,
      from: 'last-of-each',
      signal: machine.signal,
      handle: async (messages) => {
        const seen = messages.flatMap((message) => readService(message, logger))
        await reconciler.observe(
          seen.map((each) => ({ seen: each, keys: [allocator.keyOf(each)] })),
        )
      },
    })
    .catch(machine.onBroken)
}
