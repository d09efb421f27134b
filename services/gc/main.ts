import { openBackbone } from '@weir/backbone'
import { createEdgeDriver } from '@weir/drivers'
import { run } from '@weir/runtime'
import { config } from './config.ts'
import { collectorName, createCollector } from './handle.ts'
import { measureCycles } from './measure.ts'

await run({
  service: collectorName,
  version: '0.1.0',
  config,
  start: async (context) => {
    const { log: logger, clock, ids, signal, metrics } = context
    const { WEIR_INSTALLATION: installation, WEIR_FLEET: fleet, ...settings } = context.config
    const backbone = await openBackbone(context, collectorName)
    const { store, bus } = backbone
    const patience = {
      silentAfterMs: settings.WEIR_EDGE_SILENT_SECONDS * 1000,
      goneAfterMs: settings.WEIR_EDGE_GONE_SECONDS * 1000,
    }
    const driver = createEdgeDriver({ bus, clock, fleet, installation, patience, logger })
    const collector = createCollector({
      store,
      driver,
      installation,
      clock,
      logger,
      holder: `${collectorName}/${ids.uuid()}`,
      onCycle: measureCycles(metrics),
      intervalMs: settings.WEIR_GC_INTERVAL_SECONDS * 1000,
      rules: {
        mode: settings.WEIR_GC_MODE,
        scans: 2,
        graceMs: settings.WEIR_GC_GRACE_SECONDS * 1000,
        atMost: settings.WEIR_GC_AT_MOST,
        atMostShare: 0.1,
      },
    })
    const running = [driver.run(signal), collector.run(signal)]
    return {
      stop: async () => {
        await Promise.all(running)
        await backbone.stop()
      },
    }
  },
})
