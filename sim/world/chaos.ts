import { streams } from '@weir/contract'
import type { Fleet } from './fleet.ts'
import type { World } from './world.ts'

const everyMs = 1000

/** What befalls processes, the bus and the API servers, second by second until the plan heals. */
export const unleash = (world: World, fleet: Fleet): void => {
  const { scheduler, faults } = world
  const round = (): void => {
    if (faults.healed()) return
    befallProcesses(world, fleet)
    befallBus(world)
    befallClusters(world)
    scheduler.add({ label: 'chaos', due: scheduler.now() + everyMs, run: round })
  }
  scheduler.add({ label: 'chaos', due: scheduler.now() + everyMs, run: round })
}

const befallProcesses = ({ faults, scheduler, random }: World, fleet: Fleet): void => {
  for (const actor of fleet.alive()) {
    if (faults.strikes('crash')) fleet.crash(actor, 100 + faults.someMs(60_000))
    else if (faults.strikes('pause past a lease')) {
      actor.pause(scheduler.now() + 10_000 + faults.someMs(80_000))
    } else if (faults.strikes('clock jump')) {
      actor.jump(Math.round((random.next() - 0.5) * 60_000))
    }
  }
}

const befallBus = ({ faults, scheduler, bus, random }: World): void => {
  if (faults.strikes('bus wipe')) bus.wipe()
  if (faults.strikes('bus away')) {
    bus.kill()
    const due = scheduler.now() + 1000 + faults.someMs(20_000)
    scheduler.add({ label: 'the bus is back', due, run: () => bus.restart() })
  }
  if (faults.strikes('poison message')) {
    const stream = random.pick([streams.obs, streams.evt])
    const subject = stream === streams.obs ? 'obs.acme.x.service.x' : 'evt.0.acme.lb.Poison'
    const body = random.pick(['{', '{"kind":"service"}', '[]', 'null', '"\\u0000"'])
    void bus.publish([{ subject: `weir.${subject}`, body }]).catch(() => undefined)
  }
}

const befallClusters = ({ faults, clusters }: World): void => {
  if (faults.strikes('watch cut')) faults.cutWatches()
  if (faults.strikes('watch cut')) {
    // The history goes with the watches, so that what happened between is never told: 410, and a list.
    for (const { kube } of clusters) kube.store.compact()
    faults.cutWatches()
  }
}
