import { openBackbone } from '@weir/backbone'
import { streams } from '@weir/contract'
import { createReconciler } from '@weir/eventlog'
import { run } from '@weir/runtime'
import { config } from './config.ts'
import { consumer, createAllocator } from './handle.ts'
import { measurePools } from './measure.ts'
import { readService } from './observations.ts'
import { openProjection } from './projection.ts'

await run({
  service: consumer,
  version: '0.1.0',
  config,
  start: async (context) => {
    const { log, clock, ids, signal, trace, metrics } = context
    const backbone = await openBackbone(context, consumer)
    const { store, bus } = backbone
    const projection = await openProjection({ store, clock })
    const allocator = createAllocator({ store, projection, clock, log, trace, metrics })
    measurePools(metrics, projection, clock)
    const reconciler = createReconciler({
      consumer,
      store,
      clock,
      ids,
      logger: log,
      concurrency: context.config.ALLOCATOR_CONCURRENCY,
      keysOf: allocator.keysOf,
      reconcile: allocator.reconcile,
    })
    backbone.feed(reconciler, consumer)
    const observing = bus.consume({
      stream: streams.obs.name,
      filter: 'weir.obs.*.*.service.*',
      durable: `${consumer}-services`,
      from: 'last-of-each',
      signal,
      handle: async (messages) => {
        const seen = messages.flatMap((message) => readService(message, log))
        await reconciler.observe(
          seen.map((each) => ({ seen: each, keys: [allocator.keyOf(each)] })),
        )
      },
    })
    return {
      stop: async () => {
        await observing
        await backbone.stop()
      },
    }
  },
})
