// Two Services, one address.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import type { ServiceObject } from '../harness/objects.ts'
import { askHttp, askUdp, isSilent } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

const soon = { deadlineMs: 20_000 }
const annotations = { 'metallb.io/allow-shared-ip': 'dns' }
const port = (name: string, number: number, protocol = 'TCP') => ({
  spec: { ports: [{ name, port: number, targetPort: 9376, protocol }] },
})

export const sharing = (walk: Walk): void => {
  walk(
    'that name one sharing key have one address, each its ports, and the last takes it along',
    async (place) => {
      await place.deploy('example', 2)
      await place.expose('dns-tcp', 'example', { ...port('dns', 5353), annotations })
      const { address } = await place.served('dns-tcp', 5353)
      await place.expose('dns-udp', 'example', { ...port('dns', 5353, 'UDP'), annotations })
      await eventually(() => askUdp({ address, port: 5353 }), soon)
      expect(await place.address('dns-udp')).toBe(address)
      expect(await askHttp({ address, port: 5353 })).toContain('pod=example-')
      await place.remove('dns-tcp')
      await eventually(() => isSilent({ address, port: 5353 }), soon)
      expect(await askUdp({ address, port: 5353 })).toContain('example-')
      await place.remove('dns-udp')
      await holds(async () => {
        const [row] = (await place.story('dns-udp')).filter(
          ({ type }) => type === 'FrontendsReleased',
        )
        expect(row?.data).toMatchObject({ leases: [{ ip: address }] })
      }, soon)
    },
  )

  walk(
    'and ask for the same port: the second waits, is told whose it is, and heals',
    async (place) => {
      await place.deploy('example', 1)
      await place.expose('first', 'example', { ...port('web', 8081), annotations })
      const { address } = await place.served('first', 8081)
      await place.expose('second', 'example', { ...port('web', 8081), annotations })
      const { uid } = ((await place.service('first')) as ServiceObject).metadata
      await holds(async () => {
        const { metadata } = (await place.service('second')) as ServiceObject
        expect(metadata.annotations?.['weir.dev/reason']).toMatch(
          new RegExp(`^FrontendTaken: ${address}:8081/TCP .*${uid}.*To fix: `),
        )
      }, soon)
      await place.remove('first')
      await eventually(async () => expect(await place.address('second')).toBe(address), soon)
      await eventually(() => askHttp({ address, port: 8081 }), soon)
    },
  )
}
