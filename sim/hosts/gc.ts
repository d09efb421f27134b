import { createLogFollower } from '@weir/drivers'
import { collectorName, createCollector } from '../../services/gc/handle.ts'
import { joinBackbone } from './backbone.ts'
import type { Machine } from './machine.ts'

/** What `services/gc/main.ts` wires: one collector for all providers, as the log approves. */
export const hostGc = (machine: Machine): void => {
  const { clock, ids, logger, pace, installation, drivers } = machine
  const { store } = joinBackbone(machine, collectorName)
  const collector = createCollector({
    store,
    drivers,
    follower: createLogFollower(store.log),
    installation,
    clock,
    logger,
    holder: `${collectorName}/${ids.uuid()}`,
    intervalMs: pace.gcIntervalMs,
    apartMs: 5000,
    rules: {
      settleMs: 5000,
      graceMs: pace.gcGraceMs,
      atMost: 20,
      atMostShare: 0.1,
      breakerAtLeast: 20,
      breakerShare: 0.3,
    },
  })
  collector.run(machine.signal).catch(machine.onBroken)
}
