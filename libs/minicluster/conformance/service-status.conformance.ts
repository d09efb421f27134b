import { describe, expect, test } from 'vitest'
import { at, type Answer, type Rig } from './rig.conformance.ts'
import { bench, merge, refusal } from './services.conformance.ts'

const statusRows = (rig: Rig): void => {
  const write = (path: string, body: object): Promise<Answer> =>
    rig.ask('PATCH', `${path}/web/status`, { body, contentType: merge })
  const ingress = (...list: object[]) => ({ status: { loadBalancer: { ingress: list } } })

  test('status is written by its subresource only, spec by the Service only', async () => {
    const { path, create, read, patch } = await bench(rig)
    await create('web')
    await patch('web', ingress({ ip: '127.0.0.9' }))
    expect(at(await read('web'), 'status')).toEqual({ loadBalancer: {} })
    const spec = { sessionAffinity: 'ClientIP' }
    await write(path, { ...ingress({ ip: '127.0.0.9' }), spec })
    const body = await read('web')
    expect(at(body, 'spec.sessionAffinity')).toBe('None')
    expect(at(body, 'status.loadBalancer.ingress')).toEqual([{ ip: '127.0.0.9', ipMode: 'VIP' }])
  })

  test('the mode of an address is VIP unless it is given, and only an address has one', async () => {
    const { path, create, read } = await bench(rig)
    await create('web')
    await write(path, ingress({ ip: '127.0.0.9', ipMode: 'Proxy' }))
    expect(at(await read('web'), 'status.loadBalancer.ingress.0.ipMode')).toBe('Proxy')
    refusal(await write(path, ingress({ hostname: 'lb.example.com', ipMode: 'VIP' })), 'ipMode')
    refusal(await write(path, ingress({ ip: 'nowhere' })), 'ingress[0].ip')
    refusal(await write(path, ingress({ ip: '127.0.0.9', ipMode: 'Magic' })), 'ipMode')
    expect((await write(path, ingress({ hostname: 'lb.example.com' }))).status).toBe(200)
  })

  test('a Service that is no LoadBalancer has no ingress', async () => {
    const { path, create } = await bench(rig)
    await create('web', { type: 'ClusterIP' })
    refusal(await write(path, ingress({ ip: '127.0.0.9' })), 'spec.type')
  })

  test('a finalizer may be added through the status subresource', async () => {
    const { path, create, read } = await bench(rig)
    await create('web')
    await write(path, { metadata: { finalizers: ['example.com/hold'] } })
    expect(at(await read('web'), 'metadata.finalizers')).toEqual(['example.com/hold'])
  })

  test('a finalizer holds the deleted Service; no new one is taken then; the last one frees it', async () => {
    const { path, create, read, patch } = await bench(rig)
    await create('web')
    await patch('web', { metadata: { finalizers: ['example.com/hold'] } })
    await rig.ask('DELETE', `${path}/web`)
    const held = await read('web')
    expect(at(held, 'metadata.deletionTimestamp')).toEqual(expect.any(String))
    expect(at(held, 'metadata.deletionGracePeriodSeconds')).toBe(0)
    const more = { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } }
    refusal(
      await patch('web', more),
      'no new finalizers can be added if the object is being deleted',
    )
    expect((await patch('web', { metadata: { finalizers: null } })).status).toBe(200)
    expect((await rig.ask('GET', `${path}/web`)).status).toBe(404)
  })
}

export const serviceStatusRules = (rig: Rig): void => {
  describe('status and finalizers', () => {
    statusRows(rig)
  })
}
