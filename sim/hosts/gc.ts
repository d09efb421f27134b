import { collectorName, createCollector } from '../../services/gc/handle.ts'
import { joinBackbone } from './backbone.ts'
import { never, type Machine } from './machine.ts'

/** What `services/gc/main.ts` wires: one collector per provider, allowed to delete. */
export const hostGc = (machine: Machine): void => {
  const { clock, ids, logger, pace, installation } = machine
  const { store } = joinBackbone(machine, collectorName)
  for (const driver of machine.drivers.values()) {
    const collector = createCollector({
      store,
      driver,
      installation,
      clock,
      logger,
      holder: `${collectorName}/${ids.uuid()}`,
      intervalMs: pace.gcIntervalMs,
      rules: { mode: 'apply', scans: 2, graceMs: pace.gcGraceMs, atMost: 20, atMostShare: 0.1 },
    })
    collector.run(never).catch(machine.onBroken)
  }
}
