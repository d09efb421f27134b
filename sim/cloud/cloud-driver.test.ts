// The simulated providers keep the promises of a driver, as the suite of all drivers has them.
import { OperatingError } from '@weir/kernel'
import { memoryCapabilities, type Capabilities } from '@weir/drivers'
import { testDriver, type DriverRig, type Serving } from '../../libs/drivers/driver.conformance.ts'
import { desiredOf, ourInstallation } from '../../libs/drivers/sample-desired.ts'
import { createFaultPlan, noChances } from '../faults.ts'
import type { Actor } from '../scheduler/actor.ts'
import { createRandom } from '../scheduler/random.ts'
import { createCloudDriver } from './cloud-driver.ts'
import { createCloud, nameOf, type Cloud, type CloudShape, type CloudThing } from './cloud.ts'

const shapes: readonly CloudShape[] = [
  { name: 'fleet', kind: 'fleet', worksMs: 0, staleMs: 0 },
  { name: 'cloud', kind: 'cloud', worksMs: 5000, staleMs: 3000 },
]

const capabilitiesOf = ({ kind }: CloudShape): Capabilities => ({
  ...memoryCapabilities,
  addresses: kind === 'cloud' ? 'provider' : 'pool',
})

for (const shape of shapes) {
  const options = {
    target: 'simulation',
    tokens: false,
    tellsOfChanges: true,
    tags: false,
    lags: true,
  }
  testDriver(`sim ${shape.name}`, { ...options, capabilities: capabilitiesOf(shape) }, async () =>
    Promise.resolve(createRig(shape)),
  )
}

const createRig = (shape: CloudShape): DriverRig => {
  const faults = createFaultPlan(noChances, createRandom('conformance'))
  let now = 0
  let tasks: (() => void)[] = []
  const real = createCloud({
    shape,
    faults,
    now: () => now,
    later: (_label, _ms, run) => void tasks.push(run),
    onAct: () => undefined,
  })
  let frozen: readonly CloudThing[] | undefined
  const cloud: Cloud = { ...real, read: () => frozen ?? real.read() }
  let fault: 'before' | 'after' | undefined
  const actorOf = (name: string): Actor =>
    ({
      name,
      clock: { now: () => now, sleep: async () => undefined },
      call: async ({ label }, effect) => {
        const strikes = / (read|list) /.test(label) ? undefined : fault
        if (strikes !== undefined) fault = undefined
        if (strikes === 'before') throw new OperatingError(`cannot ${label}`)
        const answer = await effect()
        if (strikes === 'after') throw new OperatingError(`no answer to ${label}`)
        return answer
      },
      deliver: (_label, run) => run(),
      onDeath: () => () => undefined,
    }) as Partial<Actor> as Actor
  const driverOf = (name: string) =>
    createCloudDriver(cloud, { actor: actorOf(name), faults, installation: ourInstallation })
  const ip = shape.kind === 'cloud' ? '0.0.0.0' : '127.1.0.1'
  const frontends = [{ ip, protocol: 'TCP', port: 80, nodePort: 30_080 }] as never
  let planted = 0
  const plant = (thing: Pick<CloudThing, 'marks' | 'desired'>): string => {
    planted += 1
    const ref = `planted-${planted}`
    const { marks } = thing
    const name = marks === null ? ref : nameOf(marks)
    cloud.plant({ ...thing, ref, name, state: 'active', address: '192.0.2.9' })
    return ref
  }
  return {
    driver: driverOf('one'),
    another: () => driverOf('another'),
    settle: async () => {
      now += 10_000
      const due = tasks
      tasks = []
      for (const run of due) run()
      return Promise.resolve()
    },
    things: async () =>
      Promise.resolve(
        cloud.truth().map(({ ref, marks }) => ({ kind: 'load balancer', ref, marks })),
      ),
    serving: async () => Promise.resolve(cloud.truth().flatMap(servingOf)),
    plant: async (desired, how) => {
      plant({
        marks: desired.marks,
        desired: how === 'half' ? { ...desired, targets: [] } : desired,
      })
      return Promise.resolve()
    },
    plantUnmarked: async () => Promise.resolve(plant({ marks: null, desired: null })),
    failNext: (when) => (fault = when),
    freezeReads: (freeze) => (frozen = freeze ? real.truth() : undefined),
    sample: (number, over) => desiredOf(number, { frontends, ...over }),
  }
}

const servingOf = ({ marks, desired }: CloudThing): readonly Serving[] => {
  if (marks === null || desired === null) return []
  const { frontends, targets } = desired
  return [
    {
      installation: marks.installation,
      key: marks.key,
      epoch: marks.epoch,
      generation: desired.generation,
      frontends: frontends.map(({ protocol, port }) => ({ protocol, port })),
      targets: frontends.flatMap(({ nodePort }) =>
        targets.map(({ ip, weight }) => ({ at: ip, nodePort: nodePort ?? null, weight })),
      ),
      sourceRanges: desired.sourceRanges,
      health: { port: desired.health.port, path: desired.health.path },
      proxyProtocol: desired.proxyProtocol,
      affinity: desired.affinity.kind,
    },
  ]
}
