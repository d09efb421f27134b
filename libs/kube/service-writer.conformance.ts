// What a Service can be told through its `status` subresource, by our account and no more: the same on
// the simulated API server and on the real one.
import { silentLogger, systemClock } from '@weir/kernel'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withLoopback } from './address-policy.ts'
import { createConnection, type KubeConnection } from './connection.ts'
import { parseKubeconfig } from './credentials.ts'
import { createEventRecorder } from './events.ts'
import { cleanupFinalizer, finalizers } from './finalizers.ts'
import { kubeService, type KubeService } from './objects.ts'
import { rbacObjects } from './rbac.ts'
import { createServiceWriter, type ServiceRef } from './service-writer.ts'

interface ApiServer {
  readonly kubeconfig: string
  stop(): Promise<void>
}

const path = '/api/v1/namespaces/default/services'

let made = 0

/** What the tests do to Services themselves. */
const handsOf = (admin: () => KubeConnection) => {
  const create = async (more: { spec?: object; metadata?: object; name?: string } = {}) => {
    const name = more.name ?? `web-${(made += 1)}`
    const body = {
      metadata: { name, ...more.metadata },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...more.spec },
    }
    const { metadata } = kubeService.parse(await admin().call({ method: 'POST', path, body }))
    const { uid, namespace, resourceVersion } = metadata
    return { uid, namespace, name, resourceVersion }
  }
  const read = async ({ name }: ServiceRef): Promise<KubeService> =>
    kubeService.parse(await admin().call({ method: 'GET', path: `${path}/${name}` }))
  const remove = ({ name }: ServiceRef): Promise<unknown> =>
    admin().call({ method: 'DELETE', path: `${path}/${name}` })
  return { create, read, remove }
}

/** The writes alone: for an API server without roles, that is reached without a network. */
export const statusConformance = (admin: () => KubeConnection): void => {
  const { create, read, remove } = handsOf(admin)
  describe('writes on a Service', () => {
    const writer = () => createServiceWriter(admin(), { defaultClass: true })

    test('leave the finalizers of others alone, coming and going', async () => {
      const at = await create({ metadata: { finalizers: ['example.com/hold'] } })
      const held = await writer().hold(at)
      expect(held).toMatchObject({ status: 'written', service: { held: true } })
      expect((await read(at)).metadata.finalizers?.toSorted()).toEqual(
        ['example.com/hold', ...finalizers].toSorted(),
      )
      const { resourceVersion } = (await read(at)).metadata
      await writer().release(at, { resourceVersion, keepFinalizers: false })
      expect((await read(at)).metadata.finalizers).toEqual(['example.com/hold'])
    })

    test('tell address, conditions and reason at once, and take all of them back at once', async () => {
      const at = await create()
      await writer().hold(at)
      const time = '2026-01-01T00:00:00Z'
      const because = { reason: 'R', message: 'm', lastTransitionTime: time }
      const serving = { type: 'weir.dev/Serving', status: 'True', ...because } as const
      const foreign = { type: 'example.com/Own', status: 'True', ...because } as const
      await writer().tell(at, { conditions: [foreign], reason: null })
      const told = await writer().tell(at, {
        ingress: [{ ip: '198.51.100.7' as never, ipMode: 'Proxy' }],
        conditions: [serving],
        reason: 'because',
      })
      expect(told).toMatchObject({
        status: 'written',
        service: {
          ingress: [{ ip: '198.51.100.7', ipMode: 'Proxy' }],
          reason: 'because',
          conditions: expect.arrayContaining([serving, foreign]) as unknown,
        },
      })
      const { resourceVersion } = (await read(at)).metadata
      const released = await writer().release(at, { resourceVersion, keepFinalizers: true })
      expect(released).toMatchObject({
        status: 'written',
        service: { ingress: [], reason: null, conditions: [foreign], held: true },
      })
    })

    test('tell a name where a cloud gives no address, and see it as told', async () => {
      const at = await create()
      await writer().hold(at)
      const ingress = [{ hostname: 'weir-1a2b.elb.example.com' }]
      const told = await writer().tell(at, { ingress, conditions: [], reason: null })
      expect(told).toMatchObject({ status: 'written', service: { ingress } })
      const back = [{ ip: '198.51.100.7' as never, ipMode: 'VIP' as const }]
      const moved = await writer().tell(at, { ingress: back, conditions: [], reason: null })
      expect(moved, 'a list is replaced whole').toMatchObject({ service: { ingress: back } })
    })

    test('never reach a namesake', async () => {
      const before = await create()
      await remove(before)
      const at = await create({ name: before.name })
      expect(await writer().hold(before)).toEqual({ status: 'gone' })
      expect((await read(at)).metadata.finalizers ?? []).toEqual([])
    })

    test('do not let go on an old view, and say so', async () => {
      const at = await create()
      await writer().hold(at)
      const { resourceVersion } = at
      const outcome = await writer().release(at, { resourceVersion, keepFinalizers: false })
      expect(outcome).toEqual({ status: 'changed' })
      expect((await read(at)).metadata.finalizers).toContain(cleanupFinalizer)
    })

    test('of a status after a change of type are refused, and that is no failure', async () => {
      const at = await create({ spec: { type: 'ClusterIP' } })
      const ingress = [{ ip: '198.51.100.7' as never, ipMode: 'Proxy' as const }]
      const outcome = await writer().tell(at, { ingress, conditions: [], reason: null })
      expect(outcome.status).toBe('refused')
    })

    test('of finalizers on a Service that is being deleted are refused, and that is no failure', async () => {
      const at = await create({ metadata: { finalizers: ['example.com/hold'] } })
      await remove(at)
      expect((await writer().hold(at)).status).toBe('refused')
    })

    test('on a Service that is gone say so', async () => {
      const at = await create()
      await remove(at)
      expect(await writer().hold(at)).toEqual({ status: 'gone' })
      expect(await writer().read(at)).toBeUndefined()
    })
  })
}

export const writesConformance = (of: string, start: () => Promise<ApiServer>): void => {
  describe(of, () => {
    let cluster: ApiServer
    let admin: KubeConnection
    beforeAll(async () => {
      cluster = await start()
      admin = createConnection(parseKubeconfig(cluster.kubeconfig), { policy: withLoopback })
    })
    afterAll(async () => {
      await admin.close()
      await cluster.stop()
    })

    const { create } = handsOf(() => admin)
    statusConformance(() => admin)

    test('the role that a tenant grants is enough for all of it, and for no more', async () => {
      const plural = { ServiceAccount: 'serviceaccounts', Secret: 'secrets' } as Record<
        string,
        string
      >
      for (const object of rbacObjects) {
        const { kind } = object as { kind: string }
        if (kind === 'Secret') continue
        const where =
          kind in plural
            ? `/api/v1/namespaces/kube-system/${plural[kind]}`
            : `/apis/rbac.authorization.k8s.io/v1/${kind.toLowerCase()}s`
        await admin.call({ method: 'POST', path: where, body: object })
      }
      const issued = (await admin.call({
        method: 'POST',
        path: '/api/v1/namespaces/kube-system/serviceaccounts/weir/token',
        body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      })) as { status: { token: string } }
      const { server, ca } = parseKubeconfig(cluster.kubeconfig)
      const auth = { kind: 'token', token: issued.status.token } as const
      const weir = createConnection({ server, ca, auth }, { policy: withLoopback })
      try {
        await weir.identity()
        for (const list of [
          '/api/v1/services',
          '/api/v1/nodes',
          '/apis/discovery.k8s.io/v1/endpointslices',
        ]) {
          await weir.call({ method: 'GET', path: list })
        }
        const at: ServiceRef = await create()
        const writer = createServiceWriter(weir, { defaultClass: true })
        expect(await writer.hold(at)).toMatchObject({ status: 'written' })
        const recorder = createEventRecorder({
          connection: weir,
          clock: systemClock,
          logger: silentLogger,
        })
        const told = {
          about: at,
          type: 'Normal',
          reason: 'R',
          message: 'm',
          key: 'k',
          at: 1,
        } as const
        recorder.record(told)
        recorder.record({ ...told, refresh: true })
        await recorder.idle()
        const events = await admin.call({
          method: 'GET',
          path: '/api/v1/namespaces/default/events',
        })
        const { items } = events as { items: { involvedObject: { uid: string }; reason: string }[] }
        expect(items.filter((one) => one.involvedObject.uid === at.uid)).toMatchObject([
          { reason: 'R' },
        ])
        for (const [method, forbidden] of [
          ['PATCH', `${path}/${at.name}`],
          ['DELETE', `${path}/${at.name}`],
          ['GET', '/api/v1/secrets'],
          ['GET', '/api/v1/pods'],
          ['GET', '/api/v1/namespaces/default'],
        ] as const) {
          const call = weir.call({
            method,
            path: forbidden,
            ...(method === 'PATCH' ? { body: {} } : {}),
          })
          await expect(call).rejects.toMatchObject({ status: 403 })
        }
      } finally {
        await weir.close()
      }
    })
  })
}
