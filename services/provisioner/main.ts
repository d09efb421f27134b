import { openBackbone } from '@weir/backbone'
import { openDrivers } from '@weir/backbone/drivers'
import { streams } from '@weir/contract'
import { createReconciler } from '@weir/eventlog'
import { run } from '@weir/runtime'
import { config } from './config.ts'
import { plantFault } from './fault-points.ts'
import { consumer, createProvisioner } from './handle.ts'
import { timeProgramming } from './measure.ts'
import { readObservations } from './observations.ts'

await run({
  service: consumer,
  version: '0.1.0',
  config,
  start: async (context) => {
    const { log: logger, clock, ids, signal, trace, metrics } = context
    const { WEIR_INSTALLATION: installation, ...settings } = context.config
    const { WEIR_FAULT_POINT: fault, WEIR_ALLOW_FAULT_POINTS: allowed } = settings
    const reach = plantFault(fault, allowed === '1', (point) => {
      const ends = settings.WEIR_FAULT_SIGNAL
      logger.error({ point, ends }, 'a fault was planted here: the process signals itself')
      process.kill(process.pid, ends)
    })
    const backbone = await openBackbone(context, consumer)
    const { store, bus } = backbone
    const patience = {
      silentAfterMs: settings.WEIR_EDGE_SILENT_SECONDS * 1000,
      goneAfterMs: settings.WEIR_EDGE_GONE_SECONDS * 1000,
    }
    const traceparent = () => trace.current()
    const registry = await openDrivers(context, backbone, { patience, traceparent })
    const provisioner = createProvisioner({
      store: { ...store, log: timeProgramming(store.log, metrics) },
      drivers: registry.drivers,
      installation,
      clock,
      ids,
      logger,
      trace,
      lookEveryMs: settings.PROVISIONER_LOOK_SECONDS * 1000,
      reach,
    })
    const { keysOf, keysOfObservation, reconcile } = provisioner
    const concurrency = settings.PROVISIONER_CONCURRENCY
    const options = { consumer, store, clock, ids, logger, concurrency }
    const reconciler = createReconciler({ ...options, keysOf, reconcile })
    // Drivers learn of a lost bus before the provisioner does, and so tell orders anew.
    const watching = registry.run(signal)
    registry.onChange((change) => void provisioner.changed(change), signal)
    bus.onRebuilt(() => void provisioner.tellAgain().then(() => reconciler.wake()), signal)
    backbone.feed(reconciler, consumer)
    const observing = (['nodes', 'endpoints'] as const).map((kind) =>
      bus.consume({
        stream: streams.obs.name,
        filter: `weir.obs.*.*.${kind}.*`,
        durable: `${consumer}-${kind}`,
        from: 'last-of-each',
        signal,
        handle: (messages) =>
          reconciler.observe(readObservations(messages, keysOfObservation, logger)),
      }),
    )
    return {
      stop: async () => {
        await Promise.all([watching, ...observing])
        await backbone.stop()
      },
    }
  },
})
