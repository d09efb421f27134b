import { openBackbone } from '@weir/backbone'
import { createReconciler } from '@weir/eventlog'
import { openSecret, run } from '@weir/runtime'
import { config } from './config.ts'
import { consumer, createWatcher } from './handle.ts'
import { createCounts, measureStaleness } from './measure.ts'

await run({
  service: consumer,
  version: '0.1.0',
  config,
  start: async (context) => {
    const { log: logger, clock, ids, signal, trace, metrics } = context
    const settings = context.config
    const backbone = await openBackbone(context, consumer)
    const { store, bus } = backbone
    const watcher = createWatcher({
      store,
      bus,
      open: (at, sealed) => openSecret(settings.WEIR_MASTER_KEY, at, sealed),
      policy: { allow: settings.WEIR_CLUSTER_NETWORKS },
      clock,
      ids,
      logger,
      trace,
      metrics,
      counts: createCounts(metrics),
      concurrency: settings.WATCHER_CONCURRENCY,
    })
    const reconciler = createReconciler({
      consumer,
      store,
      clock,
      ids,
      logger,
      concurrency: settings.WATCHER_RECONCILES,
      keysOf: watcher.keysOf,
      reconcile: watcher.reconcile,
    })
    backbone.feed(reconciler, consumer)
    const watching = watcher.run(signal)
    const measuring = measureStaleness(metrics, watcher, clock, signal)
    return {
      stop: async () => {
        await Promise.all([watching, measuring])
        await backbone.stop()
      },
    }
  },
})
