// Rows 5-7 of the page: source addresses, health checks and shares under both traffic policies.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import type { ServiceObject } from '../harness/objects.ts'
import type { Place } from '../harness/place.ts'
import { reportsOf } from '../harness/edge-reports.ts'
import { askHttp, askUdp, factIn, type Door } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'
import { createDeployment, exposeDeployment, manifest, nodeAddresses } from './page-walk.ts'

const client = '127.0.0.7'
const soon = { deadlineMs: 20_000 }

/** The answers to so many new connections, by what they say of one fact. */
const countBy = async (
  door: Door,
  connections: number,
  fact: 'pod' | 'node',
): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>()
  for (let at = 0; at < connections; at += 1) {
    const found = factIn(await askHttp(door), fact)
    counts.set(found, (counts.get(found) ?? 0) + 1)
  }
  return counts
}

const healthPortOf = async (place: Place, name: string): Promise<number> =>
  ((await place.service(name)) as ServiceObject).spec.healthCheckNodePort ?? 0

/** Waits until new connections from the client reach pods that see the client itself. */
const clientIsSeen = (door: Door): Promise<string> =>
  eventually(async () => {
    const answer = await askHttp({ ...door, from: client })
    return factIn(answer, 'client') === client && answer
  }, soon)

export const pagePolicies = (walk: Walk): void => {
  walk('page row 5: Cluster hides the client and spreads, Local keeps it', async (place) => {
    const { kubectl } = place
    await kubectl(createDeployment)
    await kubectl(exposeDeployment)
    const door = await place.served('example-service')
    const nodes = await nodeAddresses(place)
    const hidden = await askHttp({ ...door, from: client })
    expect(nodes).toContain(factIn(hidden, 'client'))
    await holds(async () => expect((await countBy(door, 60, 'pod')).size).toBe(3), soon)
    const body = JSON.stringify({ spec: { externalTrafficPolicy: 'Local' } })
    expect(await kubectl(['patch', 'service', 'example-service', '-p', body])).toContain('patched')
    const answer = await clientIsSeen(door)
    expect(answer).toContain('pod=example-')
    expect(await place.address('example-service')).toBe(door.address)
    await place.patch('example-service', {
      spec: { ports: [{ name: 'u', port: 8765, targetPort: 9376, protocol: 'UDP' }] },
    })
    const datagram = await eventually(() => askUdp({ ...door, from: client }), soon)
    expect(factIn(datagram, 'client')).toBe(client)
  })

  walk(
    'page row 6: healthCheckNodePort is allocated or given, and the edge asks it',
    async (place) => {
      const { kubectl, platform } = place
      await place.deploy('example', 2, { node: 'node-1' })
      await kubectl('apply -f -', manifest())
      const door = await place.served('example-service')
      expect(await healthPortOf(place, 'example-service')).toBe(0)
      await kubectl('apply -f -', manifest('Local'))
      const answer = await clientIsSeen(door)
      expect(factIn(answer, 'node')).toBe('node-1')
      const port = await healthPortOf(place, 'example-service')
      expect(port).toBeGreaterThanOrEqual(30_000)
      const programmed = (await place.story('example-service')).findLast(
        ({ type }) => type === 'ResourceIntended',
      )
      expect(programmed?.data).toMatchObject({
        desired: { health: { port, weightFromHeader: true } },
      })
      const { uid } = ((await place.service('example-service')) as ServiceObject).metadata
      // The weight is in no object: only the health check's answer tells it to the edge.
      await holds(async () => {
        const [report] = await reportsOf(platform, uid)
        expect(report?.targets.find(({ node }) => node === 'node-1')).toMatchObject({
          state: 'healthy',
          weight: 2,
        })
      })
      const [onNode1 = '', onNode2 = ''] = await nodeAddresses(place)
      const health = async (address: string): Promise<number> =>
        (await fetch(`http://${address}:${port}/healthz`)).status
      await holds(async () => {
        expect([await health(onNode1), await health(onNode2)]).toEqual([200, 503])
      }, soon)
      const moved = {
        spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': 'node-2' } } } },
      }
      await kubectl(['patch', 'deployment', 'example', '-p', JSON.stringify(moved)])
      // The edge learns what node-1 says when it asks next: until then some go there, and are answered.
      await holds(async () => {
        expect(await health(onNode1)).toBe(503)
        expect([...(await countBy(door, 20, 'node')).keys()]).toEqual(['node-2'])
      }, soon)
    },
  )

  walk('page row 6: a healthCheckNodePort that the user gives is used', async (place) => {
    await place.deploy('example', 1)
    const given = 32_743
    await place.expose('example-service', 'example', {
      spec: { externalTrafficPolicy: 'Local', healthCheckNodePort: given },
    })
    await clientIsSeen(await place.served('example-service'))
    expect(await healthPortOf(place, 'example-service')).toBe(given)
    const story = await place.story('example-service')
    expect(story.findLast(({ type }) => type === 'ResourceIntended')?.data).toMatchObject({
      desired: { health: { port: given } },
    })
  })

  walk('page row 7: three pods here and one there get 75 and 25 of a hundred', async (place) => {
    await place.deploy('three', 3, { app: 'example', node: 'node-1' })
    await place.deploy('one', 1, { app: 'example', node: 'node-2' })
    await place.expose('example-service', 'example', { spec: { externalTrafficPolicy: 'Local' } })
    const door = await place.served('example-service')
    await holds(
      async () => {
        const counts = await countBy(door, 400, 'node')
        const share = (counts.get('node-1') ?? 0) / 400
        expect([...counts.keys()].toSorted()).toEqual(['node-1', 'node-2'])
        expect(share).toBeGreaterThanOrEqual(0.7)
        expect(share).toBeLessThanOrEqual(0.8)
      },
      { deadlineMs: 30_000 },
    )
  })
}
