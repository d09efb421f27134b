import { createReconciler } from '@weir/eventlog'
import { publicOnly } from '@weir/kube'
import { consumer, createWatcher } from '../../services/watcher/handle.ts'
import { joinBackbone } from './backbone.ts'
import { silentTrace, type Machine } from './machine.ts'

/** What `services/watcher/main.ts` wires. */
export const hostWatcher = (machine: Machine): void => {
  const { clock, ids, logger, bus, pace } = machine
  const { store, feed } = joinBackbone(machine, consumer)
  const watcher = createWatcher({
    store,
    bus,
    open: async (_at, sealed) => new TextDecoder().decode(sealed),
    policy: publicOnly,
    connect: machine.connect,
    clock,
    ids,
    logger,
    trace: silentTrace,
    metrics: { stage: () => undefined },
    counts: () => ({
      relisted: () => undefined,
      rewatched: () => undefined,
      malformed: () => undefined,
    }),
    leaseMs: pace.clusterLeaseMs,
    againMs: pace.publishAgainMs,
  })
  const { keysOf, reconcile } = watcher
  const common = { consumer, store, clock, ids, logger, keysOf, reconcile }
  feed(createReconciler({ ...common, passMs: pace.passMs }), consumer)
  watcher.run(machine.signal).catch(machine.onBroken)
}
