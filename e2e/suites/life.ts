// One Service's life as its owner lives it: edits, a change of mind, the end, and what is known afterwards.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import { expectWholeLife, toldInOrder, wholeLife } from '../harness/chapters.ts'
import type { LogEvent, ServiceObject } from '../harness/objects.ts'
import { askHttp, askUdp, isSilent } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

const web = { name: 'web', port: 8765, targetPort: 9376, protocol: 'TCP' }
const soon = { deadlineMs: 20_000 }

interface PoolRow {
  readonly name: string
  readonly held: number
  readonly resting: number
}

export const life = (walk: Walk): void => {
  walk(
    'edits keep the address: another port, a UDP port, narrower source ranges',
    async (place) => {
      await place.deploy('example', 2)
      await place.expose('web', 'example')
      const door = await place.served('web')
      const { address } = door
      await place.patch('web', { spec: { ports: [{ ...web, port: 9000 }] } })
      await eventually(() => askHttp({ address, port: 9000 }), soon)
      await eventually(() => isSilent(door), soon)
      const udp = { name: 'talk', port: 9000, targetPort: 9376, protocol: 'UDP' }
      await place.patch('web', { spec: { ports: [{ ...web, port: 9000 }, udp] } })
      await eventually(() => askUdp({ address, port: 9000 }), soon)
      expect(await askHttp({ address, port: 9000 })).toContain('pod=example-')
      await place.patch('web', { spec: { loadBalancerSourceRanges: ['127.0.0.8/32'] } })
      await eventually(() => isSilent({ address, port: 9000, from: '127.0.0.7' }), soon)
      expect(await askHttp({ address, port: 9000, from: '127.0.0.8' })).toContain('pod=example-')
      await place.patch('web', { spec: { loadBalancerSourceRanges: null } })
      await eventually(() => askHttp({ address, port: 9000, from: '127.0.0.7' }), soon)
      expect(await place.address('web')).toBe(address)
      await holds(async () => {
        const reasons = (await place.told('web')).map(({ reason }) => reason)
        expect(reasons).toContain('UpdatedLoadBalancer')
      })
      const released = (await place.story('web')).filter(({ type }) => type === 'FrontendsReleased')
      expect(released).toEqual([])
    },
  )

  walk(
    'type ClusterIP takes the load balancer away, LoadBalancer brings the address back',
    async (place) => {
      await place.deploy('example', 1)
      await place.expose('web', 'example')
      const door = await place.served('web')
      await place.patch('web', { spec: { type: 'ClusterIP', externalTrafficPolicy: null } })
      await eventually(() => isSilent(door), soon)
      await place.released('web')
      await holds(async () => {
        const { metadata, status } = (await place.service('web')) as ServiceObject
        expect(metadata.finalizers ?? []).toEqual([])
        expect(status.loadBalancer?.ingress ?? []).toEqual([])
      }, soon)
      await place.patch('web', { spec: { type: 'LoadBalancer' } })
      expect((await place.served('web')).address).toBe(door.address)
      await holds(async () => {
        const reasons = (await place.told('web')).map(({ reason }) => reason)
        expect(reasons).toContain('DeletingLoadBalancer')
        expect(reasons).toContain('DeletedLoadBalancer')
      }, soon)
    },
  )

  walk('kubectl get -o yaml carries finalizers, status and reason', async (place) => {
    await place.deploy('example', 1)
    await place.expose('web', 'example')
    const { address } = await place.served('web')
    await holds(async () => {
      const yaml = await place.kubectl('get service web -o yaml')
      expect(yaml).toContain('- service.kubernetes.io/load-balancer-cleanup')
      expect(yaml).toContain('- weir.dev/load-balancer-cleanup')
      expect(yaml).toMatch(new RegExp(`- ip: ${address}\\n +ipMode: Proxy`))
      expect(yaml).toMatch(/weir\.dev\/reason: .*Programmed/)
      expect(yaml).toMatch(/status: "True"\n +type: weir\.dev\/Serving/)
    }, soon)
  })

  walk('delete ends traffic before the object, and the story stays', async (place) => {
    const { kubectl, platform, namespace } = place
    await place.deploy('example', 1)
    await place.expose('web', 'example')
    const door = await place.served('web')
    const poolBefore = await pool(place.platform)
    expect(await kubectl('delete service web')).toContain('"web" deleted')
    expect(await isSilent(door)).toBe(true)
    expect(await place.service('web')).toBeUndefined()
    const released = (await place.released('web')).at(-1)
    expect(released?.data).toMatchObject({ leases: [{ ip: door.address }] })
    const quarantineUntil = String(released?.data['quarantineUntil'])
    expect(Date.parse(quarantineUntil)).toBeGreaterThan(Date.now())
    const poolAfter = await pool(platform)
    expect(poolAfter.held).toBe(poolBefore.held - 1)
    // Those of earlier Services may have rested their time meanwhile.
    expect(poolAfter.resting).toBeGreaterThan(0)
    expect(await platform.weirJson('gc report')).toMatchObject({ findings: [] })
    const story = (await platform.weirJson(`events service ${namespace}/web`)) as LogEvent[]
    expectWholeLife(story)
    const sequences = story.map(({ sequence }) => sequence)
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
    const { code, stdout } = await platform.weir(`explain service ${namespace}/web`)
    expect(code).toBe(0)
    expect(stdout).toContain(`${namespace}/web is gone`)
    for (const chapter of wholeLife) expect(stdout).toContain(chapter)
    const again = (await platform.weirJson(`explain service ${namespace}/web`)) as {
      status: string
      story: LogEvent[]
    }
    expect(again.status).toBe('Released')
    expect(toldInOrder(again.story, wholeLife)).toEqual([...wholeLife])
  })
}

const pool = async (platform: { weirJson(line: string): Promise<unknown> }): Promise<PoolRow> => {
  const rows = (await platform.weirJson('get pool')) as PoolRow[]
  const found = rows.find(({ name }) => name === 'local')
  if (found) return found
  throw new Error('there is no pool "local"')
}
