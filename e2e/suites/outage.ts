// The edge alone: it forwards while everything else is dead, and comes back from its disk.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { parts, type Part } from '../harness/parts.ts'
import { askHttp, isSilent, startTraffic } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

const patience = { deadlineMs: 40_000 }

export const outage = (walk: Walk): void => {
  walk('traffic goes on while everything but the edge is dead', async (place) => {
    const { platform } = place
    await place.deploy('example', 2)
    await place.expose('web', 'example')
    const door = await place.served('web')
    const others = parts.filter((part): part is Exclude<Part, 'edge'> => part !== 'edge')
    const before = new Map(others.map((part) => [part, platform.parts.running(part)]))
    const traffic = startTraffic(door)
    // The supervisor sleeps, so that nothing is started again.
    platform.up.kill('SIGSTOP')
    try {
      await Promise.all(others.map((part) => platform.parts.crash(part)))
      expect(others.filter((part) => platform.parts.running(part))).toEqual([])
      for (let at = 0; at < 200; at += 1) await askHttp(door)
    } finally {
      platform.up.kill('SIGCONT')
    }
    await Promise.all(others.map((part) => platform.parts.returned(part, before.get(part))))
    await place.expose('after', 'example')
    await place.served('after')
    const { answered, failed } = await traffic.stop()
    expect(failed).toEqual([])
    expect(answered).toBeGreaterThan(0)
  })

  walk('an edge that starts while the bus is away serves what its disk holds', async (place) => {
    const { parts: running } = place.platform
    await place.deploy('example', 1)
    await place.expose('web', 'example')
    const door = await place.served('web')
    running.signal('nats', 'SIGSTOP')
    try {
      await running.crash('edge')
      expect(await isSilent(door)).toBe(true)
      await eventually(() => askHttp(door), patience)
    } finally {
      running.signal('nats', 'SIGCONT')
    }
    await running.returned('edge')
    await place.patch('web', { spec: { ports: [{ port: 9000, targetPort: 9376 }] } })
    await eventually(() => askHttp({ ...door, port: 9000 }), patience)
  })
}
