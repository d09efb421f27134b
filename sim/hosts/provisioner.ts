import { streams } from '@weir/contract'
import { createReconciler } from '@weir/eventlog'
import { consumer, createProvisioner } from '../../services/provisioner/handle.ts'
import { readObservations } from '../../services/provisioner/observations.ts'
import { joinBackbone } from './backbone.ts'
import { silentTrace, type Machine } from './machine.ts'

/** What `services/provisioner/main.ts` wires. */
export const hostProvisioner = (machine: Machine): void => {
  const { clock, ids, logger, bus, pace, drivers, installation } = machine
  const { store, feed } = joinBackbone(machine, consumer)
  const provisioner = createProvisioner({
    store,
    drivers,
    installation,
    clock,
    ids,
    logger,
    trace: silentTrace,
    lookEveryMs: pace.lookEveryMs,
  })
  const { keysOf, keysOfObservation, reconcile } = provisioner
  const common = { consumer, store, clock, ids, logger, keysOf, reconcile }
  const reconciler = createReconciler({ ...common, passMs: pace.passMs })
  for (const driver of drivers.values()) {
    driver.onChange(
      (change) => void provisioner.changed(change).catch(machine.onBroken),
      machine.signal,
    )
  }
  bus.onRebuilt(
    () => void provisioner.tellAgain().then(() => reconciler.wake(), machine.onBroken),
    machine.signal,
  )
  feed(reconciler, consumer)
  for (const kind of ['nodes', 'endpoints'] as const) {
    bus
      .consume({
        stream: streams.obs.name,
        filter: `weir.obs.*.*.${kind}.*`,
        durable: `${consumer}-${kind}`,
        from: 'last-of-each',
        signal: machine.signal,
        handle: (messages) =>
          reconciler.observe(readObservations(messages, keysOfObservation, logger)),
      })
      .catch(machine.onBroken)
  }
}
