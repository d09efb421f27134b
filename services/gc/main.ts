import { openBackbone } from '@weir/backbone'
import { fleetsOf, openDrivers } from '@weir/backbone/drivers'
import { createLogFollower } from '@weir/drivers'
import { run } from '@weir/runtime'
import { config } from './config.ts'
import { createDirectReturns } from './direct-returns.ts'
import { createEdgeRepairs } from './edge-repairs.ts'
import { recordEdgeWords } from './edge-words.ts'
import { collectorName, createCollector } from './handle.ts'
import { measureCleanup } from './measure.ts'
import { createReminders } from './reminders.ts'

await run({
  service: collectorName,
  version: '0.1.0',
  config,
  start: async (context) => {
    const { log: logger, clock, ids, signal, metrics } = context
    const { WEIR_INSTALLATION: installation, ...settings } = context.config
    const backbone = await openBackbone(context, collectorName)
    const { store } = backbone
    const patience = {
      silentAfterMs: settings.WEIR_EDGE_SILENT_SECONDS * 1000,
      goneAfterMs: settings.WEIR_EDGE_GONE_SECONDS * 1000,
    }
    const registry = await openDrivers(context, backbone, { patience })
    const measured = measureCleanup(metrics)
    const follower = createLogFollower(store.log, measured.onEnded)
    const observeOnly = settings.WEIR_GC_MODE === 'observe'
    const holder = `${collectorName}/${ids.uuid()}`
    const collector = createCollector({
      store,
      drivers: registry.drivers,
      follower,
      installation,
      clock,
      logger,
      holder,
      onCycle: measured.onCycle,
      intervalMs: settings.WEIR_GC_INTERVAL_SECONDS * 1000,
      apartMs: settings.WEIR_GC_CONFIRM_SECONDS * 1000,
      deletesPerSecond: settings.WEIR_GC_PER_SECOND,
      observeOnly,
      rules: {
        settleMs: settings.WEIR_GC_SETTLE_SECONDS * 1000,
        graceMs: settings.WEIR_GC_GRACE_SECONDS * 1000,
        atMost: settings.WEIR_GC_AT_MOST,
        atMostShare: settings.WEIR_GC_AT_MOST_SHARE,
        breakerAtLeast: settings.WEIR_GC_BREAKER_AT_LEAST,
        breakerShare: settings.WEIR_GC_BREAKER_SHARE,
      },
    })
    const settleMs = settings.WEIR_GC_RETURN_SECONDS * 1000
    const { log, observed } = store
    const words = {
      bus: backbone.bus,
      fleets: () => fleetsOf(registry),
      recorders: [
        createEdgeRepairs(log),
        createDirectReturns({ log, observed, clock, logger, settleMs }),
      ],
      clock,
      logger,
      intervalMs: Math.min(settings.WEIR_GC_INTERVAL_SECONDS * 1000, 10_000),
    }
    const edges = { run: (until: AbortSignal) => recordEdgeWords(words, until) }
    const everyMs = settings.WEIR_GC_REMIND_SECONDS * 1000
    const owners = { store, follower, clock, logger, holder, everyMs, observeOnly }
    const reminders = createReminders({ ...owners, onLook: measured.onLook })
    const parts = [registry, collector, edges, reminders]
    const running = parts.map((part) => part.run(signal))
    return {
      stop: async () => {
        await Promise.all(running)
        await backbone.stop()
      },
    }
  },
})
