// Services that can't be served: pending, told why and what to do, and healed by themselves.
import { expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import type { ServiceObject } from '../harness/objects.ts'
import type { Place } from '../harness/place.ts'
import { askHttp } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

interface Refusal {
  readonly code: string
  /** The Warning Event's reason. */
  readonly event: string
  /** Words that name the cause. */
  readonly cause: string | RegExp
}

const soon = { deadlineMs: 20_000 }

/** Fails unless the user is told everywhere why the Service has no address. */
const expectRefusal = async (place: Place, name: string, refusal: Refusal): Promise<void> => {
  const { kubectl, platform, namespace } = place
  await holds(async () => {
    const { metadata } = (await place.service(name)) as ServiceObject
    expect(metadata.annotations?.['weir.dev/reason'] ?? '').toMatch(
      new RegExp(`^${refusal.code}: .*To fix: `),
    )
  }, soon)
  const { metadata } = (await place.service(name)) as ServiceObject
  expect(metadata.annotations?.['weir.dev/reason']).toMatch(refusal.cause)
  expect(await kubectl(`get service ${name}`)).toContain('<pending>')
  await holds(async () => {
    const warnings = (await place.told(name)).filter(({ type }) => type === 'Warning')
    expect(warnings.at(-1)).toMatchObject({ reason: refusal.event })
    expect(warnings.at(-1)?.message).toMatch(refusal.cause)
  }, soon)
  const { stdout } = await platform.weir(`explain service ${namespace}/${name}`)
  expect(stdout).toMatch(new RegExp(`Reason: +${refusal.code}`))
  expect(stdout).toMatch(refusal.cause)
  expect(stdout).toMatch(/Fix: +\S+/)
}

/** After it healed nothing tells of the old trouble as if it stood. */
const expectHealed = async (place: Place, name: string): Promise<void> => {
  await place.served(name)
  await holds(async () => {
    const { metadata } = (await place.service(name)) as ServiceObject
    expect(metadata.annotations?.['weir.dev/reason']).toMatch(/^Programmed/)
  }, soon)
}

/** An address of this platform's own network, outside the pool that every platform begins with. */
const spareAddress = async (place: Place, last: number): Promise<string> => {
  const pools = (await place.platform.weirJson('get pool')) as { ranges: { first?: string }[] }[]
  const first = pools
    .flatMap(({ ranges }) => ranges.map((range) => range.first ?? ''))
    .find(Boolean)
  const [a, b] = (first ?? '127.200.0.1').split('.')
  return `${a}.${b}.200.${last}`
}

const createPool = async (place: Place, name: string, address: string): Promise<void> => {
  const line = `pool create ${name} --range ${address}/32 --priority 900 --quarantine 0`
  const { code, stderr } = await place.platform.weir(line)
  expect({ code, stderr }).toMatchObject({ code: 0 })
}

export const refusals = (walk: Walk): void => {
  walk('SCTP is refused by name and heals when the port goes', async (place) => {
    await place.deploy('example', 1)
    const web = { name: 'web', port: 8765, targetPort: 9376, protocol: 'TCP' }
    const sctp = { name: 'signal', port: 3868, protocol: 'SCTP' }
    await place.expose('web', 'example', { spec: { ports: [web, sctp] } })
    const cause = /SCTP/
    await expectRefusal(place, 'web', {
      code: 'ProtocolUnsupported',
      event: 'SyncLoadBalancerFailed',
      cause,
    })
    await place.patch('web', { spec: { ports: [web] } })
    await expectHealed(place, 'web')
  })

  walk(
    'no node ports are refused by edges that need them, and heal once allocated',
    async (place) => {
      await place.deploy('example', 1)
      const nodePortOf = async (): Promise<number | undefined> =>
        ((await place.service('web')) as ServiceObject).spec.ports[0]?.nodePort
      await place.expose('web', 'example', { spec: { allocateLoadBalancerNodePorts: false } })
      await expectRefusal(place, 'web', {
        code: 'ResourceRefused',
        event: 'SyncLoadBalancerFailed',
        cause:
          /needsNodePort: port 8765\/TCP has no nodePort; set allocateLoadBalancerNodePorts: true/,
      })
      expect(await nodePortOf()).toBeUndefined()
      await place.patch('web', { spec: { allocateLoadBalancerNodePorts: true } })
      await expectHealed(place, 'web')
      expect(await nodePortOf()).toBeGreaterThan(0)
    },
  )

  walk('an annotation of ours that is misspelt is refused by its name', async (place) => {
    await place.deploy('example', 1)
    await place.expose('web', 'example', { annotations: { 'weir.dev/adress': '127.0.0.1' } })
    await expectRefusal(place, 'web', {
      code: 'IntentInvalid',
      event: 'SyncLoadBalancerFailed',
      cause: /weir\.dev\/adress/,
    })
    await place.patch('web', { metadata: { annotations: { 'weir.dev/adress': null } } })
    await expectHealed(place, 'web')
  })

  walk(
    'an address outside every pool is refused and heals when a pool covers it',
    async (place) => {
      const address = await spareAddress(place, 1)
      await place.deploy('example', 1)
      await place.expose('web', 'example', { spec: { loadBalancerIP: address } })
      await expectRefusal(place, 'web', {
        code: 'AddressNotInPool',
        event: 'AllocationFailed',
        cause: new RegExp(address.replaceAll('.', '\\.')),
      })
      await createPool(place, 'covering', address)
      await expectHealed(place, 'web')
      expect(await place.address('web')).toBe(address)
    },
  )

  walk(
    'an address that another Service holds is refused and heals when that one lets go',
    async (place) => {
      const address = await spareAddress(place, 2)
      await createPool(place, 'single', address)
      await place.deploy('example', 1)
      await place.expose('first', 'example', { spec: { loadBalancerIP: address } })
      await place.served('first')
      await place.expose('second', 'example', { annotations: { 'weir.dev/address': address } })
      const holder = ((await place.service('first')) as ServiceObject).metadata.uid
      await expectRefusal(place, 'second', {
        code: 'AddressTaken',
        event: 'AllocationFailed',
        cause: new RegExp(holder),
      })
      await place.remove('first')
      await expectHealed(place, 'second')
      expect(await place.address('second')).toBe(address)
    },
  )

  walk('a pool that is exhausted is named and heals when an address is released', async (place) => {
    const address = await spareAddress(place, 3)
    await createPool(place, 'tiny', address)
    const annotations = { 'weir.dev/pool': 'tiny' }
    await place.deploy('example', 1)
    await place.expose('first', 'example', { annotations })
    await place.served('first')
    await place.expose('second', 'example', { annotations })
    await expectRefusal(place, 'second', {
      code: 'PoolExhausted',
      event: 'AllocationFailed',
      cause: /tiny \(1\)/,
    })
    await place.remove('first')
    await expectHealed(place, 'second')
  })

  walk('a pool that does not exist is named and heals when an operator makes it', async (place) => {
    await place.deploy('example', 1)
    await place.expose('web', 'example', { annotations: { 'weir.dev/pool': 'gold' } })
    await expectRefusal(place, 'web', {
      code: 'PoolMissing',
      event: 'AllocationFailed',
      cause: /"gold"/,
    })
    await createPool(place, 'gold', await spareAddress(place, 4))
    await expectHealed(place, 'web')
  })

  walk('without any pool a new Service waits, the old ones go on', async (place) => {
    const { platform } = place
    await place.deploy('example', 1)
    await place.expose('old', 'example')
    const door = await place.served('old')
    const { body } = await platform.ask('GET', '/v1/pools')
    const pools = (body as { items: ({ name: string } & Record<string, unknown>)[] }).items
    for (const { name } of pools) await platform.ask('DELETE', `/v1/pools/${name}`)
    try {
      await place.expose('new', 'example')
      await expectRefusal(place, 'new', {
        code: 'PoolMissing',
        event: 'AllocationFailed',
        cause: /no address pool/,
      })
      expect(await askHttp(door)).toContain('pod=example-')
    } finally {
      for (const { name, ranges, priority, tenants, quarantineSeconds } of pools) {
        const wanted = { ranges, priority, tenants, quarantineSeconds }
        const { status, body: answer } = await platform.ask('PUT', `/v1/pools/${name}`, wanted)
        expect(status, JSON.stringify(answer)).toBe(200)
      }
    }
    await expectHealed(place, 'new')
    expect(await place.address('old')).toBe(door.address)
  })
}
