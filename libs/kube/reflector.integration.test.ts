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
import { kubeService, type KubeService } from './objects.ts'
import { createReflector, type ReflectorOptions } from './reflector.ts'
import { writesConformance } from './service-writer.conformance.ts'

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

  test('pauses before it lists again where every list is too old at once', async () => {
    const slept: number[] = []
    const sleep: typeof systemClock.sleep = (ms, signal) => {
      slept.push(ms)
      return systemClock.sleep(ms, signal)
    }
    cluster.faults.failNext({ path: /watch=true/, count: 10_000 }, { status: 410 })
    const timing = { confirmMs: 1, inactivityMs: 400, backoff: { minMs: 11, maxMs: 19 } }
    const { counts } = reflect({ clock: { ...systemClock, sleep }, timing })
    const lost = () => counts.filter((line) => line === 'relist history-lost')
    await until(() => expect(lost().length).toBeGreaterThan(4))
    cluster.faults.clear()
    expect(slept.filter((ms) => ms > 1 && ms < 20).length).toBeGreaterThan(2)
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

writesConformance('the simulated API server', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-kube-'))
  const simulated = await startSimulatedMinicluster({ stateDir: dir, port: 0, nodes: [] })
  const end = async (): Promise<void> => {
    await simulated.stop()
    await rm(dir, { recursive: true, force: true })
  }
  return { kubeconfig: simulated.kubeconfig, stop: end }
})
