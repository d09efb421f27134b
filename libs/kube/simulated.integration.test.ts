import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { startSimulatedMinicluster, type SimulatedMinicluster } from '@weir/minicluster'
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { withLoopback } from './address-policy.ts'
import { createConnection, type KubeConnection } from './connection.ts'
import { parseKubeconfig } from './credentials.ts'
import { createEventRecorder } from './events.ts'
import { cleanupFinalizer, finalizers } from './finalizers.ts'
import { kubeService, type KubeService } from './objects.ts'
import { rbacObjects } from './rbac.ts'
import { createReflector, type ReflectorOptions } from './reflector.ts'
import { createServiceWriter, type ServiceRef } from './service-writer.ts'

let stateDir: string
let cluster: SimulatedMinicluster
let admin: KubeConnection
let stop: AbortController

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'weir-kube-'))
  cluster = await startSimulatedMinicluster({ stateDir, port: 0, nodes: [] })
  admin = createConnection(parseKubeconfig(cluster.kubeconfig), { policy: withLoopback })
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await admin.close()
  await cluster.stop()
  await rm(stateDir, { recursive: true, force: true })
})

const until = async (check: () => Promise<void> | void): Promise<void> => {
  await eventually(async () => {
    await check()
    return true
  })
}

const path = '/api/v1/namespaces/default/services'
const create = async (name: string, more: { spec?: object; metadata?: object } = {}) => {
  const body = {
    metadata: { name, ...more.metadata },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...more.spec },
  }
  const made = kubeService.parse(await admin.call({ method: 'POST', path, body }))
  const { uid, namespace } = made.metadata
  return { uid, namespace, name, resourceVersion: made.metadata.resourceVersion }
}
const read = async (name: string): Promise<KubeService> =>
  kubeService.parse(await admin.call({ method: 'GET', path: `${path}/${name}` }))
const remove = (name: string): Promise<unknown> =>
  admin.call({ method: 'DELETE', path: `${path}/${name}` })

describe('a reflector', () => {
  const reflect = (more: Partial<ReflectorOptions<KubeService>> = {}) => {
    const names = new Set<string>()
    const told: string[] = []
    const counts: string[] = []
    const nameByUid = new Map<string, string>()
    const reflector = createReflector<KubeService>({
      connection: admin,
      path: '/api/v1/services',
      kind: 'ServiceList',
      parse: (raw) => kubeService.parse(raw),
      verify: async () => undefined,
      clock: systemClock,
      ids: systemIds,
      logger: silentLogger,
      timing: { confirmMs: 10, backoff: { minMs: 10, maxMs: 50 }, inactivityMs: 400 },
      metrics: {
        relisted: (reason) => counts.push(`relist ${reason}`),
        rewatched: (reason) => counts.push(`rewatch ${reason}`),
        malformed: () => counts.push('malformed'),
      },
      handler: {
        changed: async ({ metadata: { name, uid } }) => {
          names.add(name)
          nameByUid.set(uid, name)
          told.push(`changed ${name}`)
        },
        deleted: async ({ metadata: { name } }) => {
          names.delete(name)
          told.push(`deleted ${name}`)
        },
        missing: async (uid) => {
          const name = nameByUid.get(uid) ?? uid
          names.delete(name)
          told.push(`missing ${name}`)
        },
        synced: async () => void told.push('synced'),
      },
      ...more,
    })
    void reflector.run(stop.signal)
    return { reflector, names, told, counts }
  }

  test('tells of every change once, in order, from the list on', async () => {
    await create('a')
    const { told } = reflect()
    await until(() => expect(told).toContain('synced'))
    await create('b')
    await remove('a')
    await until(() => expect(told).toContain('deleted a'))
    const own = told.filter((line) => !line.includes('kubernetes'))
    expect(own.filter((line) => !line.startsWith('changed a'))).toEqual([
      'synced',
      'changed b',
      'deleted a',
    ])
  })

  const faults: [string, () => void][] = [
    ['watches are dropped', () => void cluster.faults.dropWatches()],
    ['a line is cut in the middle', () => void cluster.faults.truncateWatches()],
    ['the connection is half open', () => void cluster.faults.muteWatches()],
    [
      'watches are answered 429',
      () => {
        cluster.faults.failNext({ path: /watch=true/, count: 3 }, { status: 429 })
        cluster.faults.dropWatches()
      },
    ],
    [
      'everything is answered 500',
      () => {
        cluster.faults.failNext({ path: /services\?/, count: 4 }, { status: 500 })
        cluster.faults.dropWatches()
      },
    ],
    [
      'history is forgotten',
      () => {
        cluster.faults.expireHistory()
        cluster.faults.dropWatches()
      },
    ],
  ]
  test.each(faults)('goes on with nothing lost when %s', async (_, harm) => {
    await create('a')
    const { names, told } = reflect()
    await until(() => expect(told).toContain('synced'))
    harm()
    await create('b')
    await remove('a')
    await until(() => expect([...names].sort()).toEqual(['b', 'kubernetes']))
    expect(told.filter((line) => line === 'changed b')).toHaveLength(1)
  })

  test('finds by a list what was deleted while history was lost, when two lists agree', async () => {
    await create('a')
    const { told, counts } = reflect()
    await until(() => expect(told).toContain('synced'))
    cluster.faults.failNext({ path: /watch=true/, count: 1 }, { status: 410 })
    cluster.faults.dropWatches()
    await remove('a')
    await until(() => expect(told.some((line) => /^(missing|deleted) a$/.test(line))).toBe(true))
    expect(counts).toContain('relist history-lost')
  })

  test.each(['without-items', 'empty', 'partial', 'truncated'] as const)(
    'believes no absence from a list that lies once: %s',
    async (lie) => {
      await create('a')
      await create('b')
      const { told } = reflect()
      await until(() => expect(told).toContain('synced'))
      cluster.faults.lieNext({ method: 'GET', path: /services\?limit/, count: 1 }, lie)
      cluster.faults.failNext({ path: /watch=true/, count: 1 }, { status: 410 })
      cluster.faults.dropWatches()
      await create('c')
      await until(() => expect(told).toContain('changed c'))
      expect(told.filter((line) => /missing|deleted/.test(line))).toEqual([])
    },
  )

  test('tells of what must exist and does not', async () => {
    const { told } = reflect({ expected: ['a-uid-of-before'] })
    await until(() => expect(told).toContain('missing a-uid-of-before'))
  })

  test('believes nothing of another cluster', async () => {
    let right = false
    const verify = async (): Promise<void> => {
      if (!right) throw new Error('another cluster')
    }
    await create('a')
    const { told, counts } = reflect({ verify, expected: ['a-uid-of-before'] })
    await until(() => expect(counts.length).toBeGreaterThan(3))
    expect(told).toEqual([])
    right = true
    await until(() => expect(told).toContain('changed a'))
  })

  test('leaves one malformed object out and goes on', async () => {
    const parse = (raw: unknown): KubeService => {
      const service = kubeService.parse(raw)
      if (service.metadata.name === 'bad') throw new Error('malformed')
      return service
    }
    await create('bad')
    await create('good')
    const { told, counts } = reflect({ parse })
    await until(() => expect(told).toContain('changed good'))
    expect(told).not.toContain('changed bad')
    expect(counts).toContain('malformed')
  })
})

describe('writes on a Service', () => {
  const writer = () => createServiceWriter(admin, { defaultClass: true })

  test('leave the finalizers of others alone, coming and going', async () => {
    const at = await create('web', { metadata: { finalizers: ['example.com/hold'] } })
    const held = await writer().hold(at)
    expect(held).toMatchObject({ status: 'written', service: { held: true } })
    expect((await read('web')).metadata.finalizers?.toSorted()).toEqual(
      ['example.com/hold', ...finalizers].toSorted(),
    )
    const { resourceVersion } = (await read('web')).metadata
    await writer().release(at, { resourceVersion, keepFinalizers: false })
    expect((await read('web')).metadata.finalizers).toEqual(['example.com/hold'])
  })

  test('tell address, conditions and reason at once, and take all of them back at once', async () => {
    const at = await create('web')
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
    const { resourceVersion } = (await read('web')).metadata
    const released = await writer().release(at, { resourceVersion, keepFinalizers: true })
    expect(released).toMatchObject({
      status: 'written',
      service: { ingress: [], reason: null, conditions: [foreign], held: true },
    })
  })

  test('never reach a namesake', async () => {
    const before = await create('web')
    await remove('web')
    await create('web')
    expect(await writer().hold(before)).toEqual({ status: 'gone' })
    expect((await read('web')).metadata.finalizers ?? []).toEqual([])
  })

  test('do not let go on an old view, and say so', async () => {
    const at = await create('web')
    await writer().hold(at)
    const { resourceVersion } = at
    const outcome = await writer().release(at, { resourceVersion, keepFinalizers: false })
    expect(outcome).toEqual({ status: 'changed' })
    expect((await read('web')).metadata.finalizers).toContain(cleanupFinalizer)
  })

  test('of a status after a change of type are refused, and that is no failure', async () => {
    const at = await create('web', { spec: { type: 'ClusterIP' } })
    const ingress = [{ ip: '198.51.100.7' as never, ipMode: 'Proxy' as const }]
    const outcome = await writer().tell(at, { ingress, conditions: [], reason: null })
    expect(outcome.status).toBe('refused')
  })

  test('of finalizers on a Service that is being deleted are refused, and that is no failure', async () => {
    const at = await create('web', { metadata: { finalizers: ['example.com/hold'] } })
    await remove('web')
    expect((await writer().hold(at)).status).toBe('refused')
  })

  test('on a Service that is gone say so', async () => {
    const at = await create('web')
    await remove('web')
    expect(await writer().hold(at)).toEqual({ status: 'gone' })
    expect(await writer().read(at)).toBeUndefined()
  })
})

test('the role that a tenant grants is enough for all of it, and for no more', async () => {
  const plural = { ServiceAccount: 'serviceaccounts', Secret: 'secrets' } as Record<string, string>
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
    const at: ServiceRef = await create('web')
    const writer = createServiceWriter(weir, { defaultClass: true })
    expect(await writer.hold(at)).toMatchObject({ status: 'written' })
    const recorder = createEventRecorder({
      connection: weir,
      clock: systemClock,
      logger: silentLogger,
    })
    const told = { about: at, type: 'Normal', reason: 'R', message: 'm', key: 'k', at: 1 } as const
    recorder.record(told)
    recorder.record({ ...told, refresh: true })
    await recorder.idle()
    const events = await admin.call({ method: 'GET', path: '/api/v1/namespaces/default/events' })
    expect(events).toMatchObject({ items: [{ reason: 'R' }] })
    for (const [method, forbidden] of [
      ['PATCH', `${path}/web`],
      ['DELETE', `${path}/web`],
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
