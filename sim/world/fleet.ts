// The processes of the installation: started, killed, paused, started again, each on ports of its own.
import { driverName } from '@weir/contract'
import { silentLogger } from '@weir/kernel'
import { createCloudDriver, withApply } from '../cloud/cloud-driver.ts'
import { hostAllocator } from '../hosts/allocator.ts'
import { hostGc } from '../hosts/gc.ts'
import { serviceNames, type Machine, type Plants, type ServiceName } from '../hosts/machine.ts'
import { hostProvisioner } from '../hosts/provisioner.ts'
import { hostWatcher } from '../hosts/watcher.ts'
import { connectKube } from '../kube/connection.ts'
import { busOf, storeOf } from '../ports.ts'
import { createActor, type Actor } from '../scheduler/actor.ts'
import { installation, type World } from './world.ts'

interface Seat {
  readonly service: ServiceName
  readonly name: string
  starts: number
  actor: Actor | undefined
}

export interface Fleet {
  startAll(): void
  /** A process that runs, by chance; undefined when none does. */
  someone(): Actor | undefined
  /** Kills a process; it comes back after a while. */
  crash(actor: Actor, backInMs: number): void
  /** Leaves one process of each service, by chance, starts those anew that are down, and ends the rest. */
  core(): void
  /** Ends every process; what they listened to would keep all of this world in memory. */
  endAll(): void
  alive(): readonly Actor[]
}

export interface FleetPorts {
  readonly world: World
  readonly plants: Plants
  /** An invariant of a process is broken. */
  readonly onBroken: (who: string, error: unknown) => void
}

const hosts: Readonly<Record<ServiceName, (machine: Machine) => void | Promise<void>>> = {
  watcher: hostWatcher,
  allocator: hostAllocator,
  provisioner: hostProvisioner,
  gc: hostGc,
}

export const createFleet = (ports: FleetPorts): Fleet => {
  const { world, onBroken } = ports
  const { scheduler, topology } = world
  const random = world.random.fork('fleet')
  const over = new AbortController()
  const seats: Seat[] = serviceNames.flatMap((service) =>
    Array.from({ length: topology.instances[service] }, (_, index) => ({
      service,
      name: `${service}-${index + 1}`,
      starts: 0,
      actor: undefined,
    })),
  )

  const start = (seat: Seat): void => {
    seat.starts += 1
    const name = `${seat.name}.${seat.starts}`
    const actor = createActor(name, scheduler, random.fork(name))
    Object.assign(seat, { actor })
    begin(seat, actor).catch(() => {
      // A process that cannot start is started again by whoever supervises it.
      actor.kill()
      startLater(seat, 1000)
    })
  }
  const begin = async ({ service }: Seat, actor: Actor): Promise<void> => {
    const machine = machineOf(ports, service, actor, over.signal)
    await hosts[service]({ ...machine, onBroken: (error) => onBroken(actor.name, error) })
  }
  const startLater = (seat: Seat, ms: number): void =>
    scheduler.add({
      label: `${seat.name} is started again`,
      due: scheduler.now() + ms,
      run: () => {
        if (seat.actor?.alive() !== true && seats.includes(seat)) start(seat)
      },
    })
  const running = (): Seat[] => seats.filter(({ actor }) => actor?.alive() === true)

  return {
    startAll: () => {
      for (const seat of seats) start(seat)
    },
    alive: () => running().flatMap(({ actor }) => actor ?? []),
    someone: () => {
      const seats = running()
      return seats.length === 0 ? undefined : random.pick(seats).actor
    },
    crash: (actor, backInMs) => {
      const seat = seats.find((each) => each.actor === actor)
      actor.kill()
      if (seat !== undefined) startLater(seat, backInMs)
    },
    endAll: () => {
      over.abort()
      for (const { actor } of seats) actor?.kill()
    },
    core: () => {
      for (const service of serviceNames) {
        const own = seats.filter((seat) => seat.service === service)
        const stays = random.pick(own)
        for (const seat of own) {
          if (seat === stays) continue
          seat.actor?.kill()
          seats.splice(seats.indexOf(seat), 1)
        }
        if (stays.actor?.alive() !== true) start(stays)
      }
    },
  }
}

const machineOf = (
  { world, plants }: FleetPorts,
  service: ServiceName,
  actor: Actor,
  signal: AbortSignal,
): Omit<Machine, 'onBroken'> => {
  const { faults, ledger, clusters, clouds, topology } = world
  const at = { service, actor }
  const plain = storeOf(world.store, actor, faults)
  const store = plants.store?.(plain, at) ?? plain
  const handle = busOf(world.bus.connect(), actor, faults)
  const drivers = clouds.map((cloud) => {
    const driver = createCloudDriver(cloud, { actor, faults, installation })
    const planted = plants.driver?.(driver, at) ?? driver
    return [driverName.parse(cloud.name), withApply(planted)] as const
  })
  return {
    actor,
    store,
    bus: plants.bus?.(handle, at) ?? handle,
    clock: actor.clock,
    signal,
    ids: actor.ids,
    logger: silentLogger,
    installation,
    drivers: new Map(drivers),
    connect: ({ server }) => {
      const own = clusters.find(({ cluster }) => cluster.server === server)
      if (own === undefined) throw new Error(`nobody answers at ${server}`)
      const connection = connectKube(own.kube, {
        actor,
        faults,
        onWrite: (write) => ledger.write({ kind: 'kube-write', write }),
      })
      return plants.connection?.(connection, at) ?? connection
    },
    pace: topology.pace,
  }
}
