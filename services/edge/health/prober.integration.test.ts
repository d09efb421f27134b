import { driverName, resourceKeyOf, serviceUid, type ResourceKey } from '@weir/contract'
import { systemClock, systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { randomUUID } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { healthRules, type HealthRules } from '../domain/health.ts'
import { createAddresses } from '../rig/orders.ts'
import { listenHealth, type HealthPort } from '../rig/sockets.ts'
import type { Probe } from './ask-node.ts'
import { createProber, type Prober } from './prober.ts'

const address = createAddresses()
const watcher: ResourceKey = resourceKeyOf(driverName.parse('edge'), serviceUid.parse(randomUUID()))
const opened: HealthPort[] = []
const probers: Prober[] = []
afterEach(async () => {
  for (const prober of probers.splice(0)) prober.close()
  await Promise.all(opened.splice(0).map((port) => port.close()))
})

const timeoutMs = 250
/** Asks every 20 ms. */
const proberOf = (probes: readonly Probe[], rules: HealthRules = healthRules): Prober => {
  const ports = { clock: systemClock, ids: systemIds, onChange: () => undefined }
  const prober = createProber({ ...ports, intervalMs: 20, timeoutMs, rules })
  probers.push(prober)
  prober.watch(watcher, probes)
  return prober
}
const nodeWith = async (ports: number): Promise<{ ports: HealthPort[]; probes: Probe[] }> => {
  const ip = address()
  const probes = Array.from({ length: ports }, (_, nth) => ({
    ip,
    port: 20_000 + nth,
    path: '/healthz',
    weightFromHeader: false,
  }))
  const own = await Promise.all(probes.map(({ port }) => listenHealth(ip, port)))
  opened.push(...own)
  return { ports: own, probes }
}
const statesOf = (prober: Prober, probes: readonly Probe[]): string[] => [
  ...new Set(probes.map((probe) => prober.healthOf(probe).state)),
]
const all = (prober: Prober, probes: readonly Probe[], state: string): Promise<boolean> =>
  eventually(() => {
    expect(statesOf(prober, probes)).toEqual([state])
    return true as const
  })
const askedOf = (ports: readonly HealthPort[]): number =>
  ports.reduce((sum, { asked }) => sum + asked, 0)

test('a node is asked one thing at a time, however many health ports it has', async () => {
  const { ports, probes } = await nodeWith(12)
  let most = 0
  for (const port of ports) {
    port.onAsked = () => {
      most = Math.max(most, ports.filter(({ answering }) => answering).length)
    }
    port.delayMs = 3
  }
  const prober = proberOf(probes)
  await all(prober, probes, 'healthy')
  await eventually(() => askedOf(ports) > 60)
  expect(most).toBe(1)
})

test('a node that is off is found out by few questions, whatever its ports', async () => {
  const { ports, probes } = await nodeWith(40)
  const prober = proberOf(probes)
  await all(prober, probes, 'healthy')
  for (const port of ports) port.mute = true
  const before = askedOf(ports)
  await all(prober, probes, 'unhealthy')
  expect(askedOf(ports) - before).toBeLessThan(12)
  for (const port of ports) port.mute = false
  await all(prober, probes, 'healthy')
})

test('a port that is mute alone takes the other ports of its node nothing', async () => {
  const { ports, probes } = await nodeWith(6)
  const prober = proberOf(probes)
  await all(prober, probes, 'healthy')
  const [mute, ...others] = probes
  const [mutePort] = ports
  if (mute === undefined || mutePort === undefined) return
  mutePort.mute = true
  let fallen = 0
  const watching = systemClock.sleep(12 * timeoutMs).then(() => 'over' as const)
  const sample = (): Promise<'over' | undefined> =>
    Promise.race([watching, systemClock.sleep(5).then(() => undefined)])
  while ((await sample()) === undefined) {
    fallen += others.filter((probe) => prober.healthOf(probe).state !== 'healthy').length
  }
  expect(prober.healthOf(mute).state).toBe('unhealthy')
  expect(fallen).toBe(0)
})

test('a node that keeps falling silent is held down, one that says 503 in turns is not', async () => {
  const { ports, probes } = await nodeWith(1)
  const [port, probe] = [ports[0], probes[0]]
  if (port === undefined || probe === undefined) return
  const prober = proberOf(probes, { ...healthRules, holdMinMs: 600, holdMaxMs: 600 })
  const becomes = (state: string) => all(prober, probes, state)
  for (let round = 0; round < 4; round += 1) {
    port.status = 503
    await becomes('unhealthy')
    port.status = 200
    await becomes('healthy')
  }
  port.mute = true
  await becomes('unhealthy')
  port.mute = false
  await becomes('healthy')
  port.mute = true
  await becomes('unhealthy')
  const fellAt = systemClock.now()
  port.mute = false
  await eventually(() => prober.healthOf(probe).problem?.includes('left out until'))
  await becomes('healthy')
  expect(systemClock.now() - fellAt).toBeGreaterThan(450)
})

test('a port that closed is found out at once, and found again', async () => {
  const { ports, probes } = await nodeWith(1)
  const prober = proberOf(probes)
  await all(prober, probes, 'healthy')
  await ports[0]?.close()
  opened.splice(0)
  await all(prober, probes, 'unhealthy')
  expect(probes.map((probe) => prober.healthOf(probe).problem).join()).toContain('ECONNREFUSED')
  opened.push(await listenHealth(probes[0]?.ip ?? '', 20_000))
  await all(prober, probes, 'healthy')
})

const one = async () => {
  const { ports, probes } = await nodeWith(1)
  const [port, probe] = [ports[0], probes[0]]
  if (port === undefined || probe === undefined) throw new Error('a node has a port')
  return { port, probe, prober: proberOf(probes) }
}

test('five questions go over one connection, and a question after a 503 over its own', async () => {
  const { port } = await one()
  await eventually(() => port.asked > 50)
  expect(Math.abs(port.connections - port.asked / 5)).toBeLessThanOrEqual(1)
  port.status = 503
  const [asked, connections] = [port.asked, port.connections]
  await eventually(() => port.asked > asked + 20)
  expect(Math.abs(port.connections - connections - (port.asked - asked))).toBeLessThanOrEqual(1)
})

test('a port that stops listening is found out, though its old connections answer on', async () => {
  const { port, probe, prober } = await one()
  await all(prober, [probe], 'healthy')
  port.stopListening()
  await all(prober, [probe], 'unhealthy')
  expect(prober.healthOf(probe).problem).toContain('ECONNREFUSED')
  opened.splice(0)
})

/** The most silences in a row that were seen until so many questions came. */
const silencesDuring = async (
  { port, probe, prober }: Awaited<ReturnType<typeof one>>,
  questions: number,
): Promise<number> => {
  let most = 0
  const until = port.asked + questions
  await eventually(() => {
    most = Math.max(most, prober.healthOf(probe).silences)
    return port.asked > until
  })
  expect(prober.healthOf(probe).state).toBe('healthy')
  return most
}

test('a kept connection that the node cut costs no answer', async () => {
  const node = await one()
  await all(node.prober, [node.probe], 'healthy')
  node.port.cutAfter = 2
  expect(await silencesDuring(node, 30)).toBe(0)
})

test('a kept connection that leads nowhere costs one answer, and the node stays', async () => {
  const node = await one()
  await all(node.prober, [node.probe], 'healthy')
  node.port.muteAfter = 2
  expect(await silencesDuring(node, 15)).toBe(1)
})
