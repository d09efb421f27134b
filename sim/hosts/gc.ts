import { createLogFollower } from '@weir/drivers'
import { collectorName, createCollector } from '../../services/gc/handle.ts'
import { createReminders } from '../../services/gc/reminders.ts'
import { joinBackbone } from './backbone.ts'
import type { Machine } from './machine.ts'

/** What `services/gc/main.ts` wires: one collector for all providers, and reminders for owners, as the log approves. */
export const hostGc = (machine: Machine): void => {
  const { clock, ids, logger, pace, installation, drivers } = machine
  const { store } = joinBackbone(machine, collectorName)
  const follower = createLogFollower(store.log)
  const holder = `${collectorName}/${ids.uuid()}`
  const collector = createCollector({
    store,
    drivers,
    follower,
    installation,
    clock,
    logger,
    holder,
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
  const everyMs = pace.gcIntervalMs * 2
  const reminders = createReminders({ store, follower, clock, logger, holder, everyMs })
  for (const part of [collector, reminders]) part.run(machine.signal).catch(machine.onBroken)
}
