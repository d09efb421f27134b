// One octavia-api for a test file, and worlds in it: each test has a project of its own.
import { randomUUID } from 'node:crypto'
import type { DesiredResource } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { Agent, request } from 'undici'
import { createBudget, type Budget } from '../../budget.ts'
import type { DriverRig, Serving, Thing } from '../../driver.conformance.ts'
import { desiredOf, ourInstallation, type SampleOver } from '../../sample-desired.ts'
import { createOctaviaDriver, type OctaviaOptions } from '../octavia-driver.ts'
import { labelsOf, marksInDescription, tagsOf } from '../marks.ts'
import { balancer, listener, member, monitor, pool, type Balancer } from '../objects.ts'
import { octaviaSettings, type OctaviaSettings } from '../settings.ts'
import { createBody, wishOf } from '../wish.ts'
import { createFlipper, type Flipper } from './flipper.ts'
import { startFakeOpenstack, type FakeOpenstack } from './fake-openstack.ts'
import { startFront, type Front, type Seen } from './front.ts'
import { startOctavia, type OctaviaServers } from './servers.ts'
import { createTurns, type Turns } from './turns.ts'

/** The servers of a test file. */
export interface OctaviaRig {
  readonly servers: OctaviaServers
  readonly flipper: Flipper
  /** An empty project with a driver for it. */
  world(over?: WorldOver): Promise<OctaviaWorld>
  stop(): Promise<void>
}

export interface WorldOver {
  /** With a Keystone that gives tokens, and a Neutron that gives floating IPs; both are fakes. */
  readonly openstack?: true
  readonly settings?: Partial<OctaviaSettings>
  readonly options?: Partial<OctaviaOptions>
}

/** A project of its own with a driver, and hands in it past the driver. */
export interface OctaviaWorld extends DriverRig {
  readonly project: string
  readonly front: Front
  readonly flipper: Flipper
  /** @throws when the world has none */
  openstack(): FakeOpenstack
  readonly settings: OctaviaSettings
  /** Asks octavia-api itself, past driver and front. */
  ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown>
  balancers(): Promise<readonly Balancer[]>
  stop(): Promise<void>
}

export const startOctaviaRig = async (): Promise<OctaviaRig> => {
  const servers = await startOctavia()
  const flipper = createFlipper(servers.statusSocket, servers.databaseSocket)
  const turns = createTurns(servers.endpoints)
  return {
    servers,
    flipper,
    world: (over = {}) => createWorld(turns, flipper, over),
    stop: async () => {
      flipper.stop()
      await servers.stop()
    },
  }
}

const plenty = { perSecond: 10_000, burst: 10_000 }
export const plentyBudget = (): Budget =>
  createBudget({ clock: systemClock, read: plenty, write: plenty })

const createWorld = async (
  turns: Turns,
  flipper: Flipper,
  over: WorldOver,
): Promise<OctaviaWorld> => {
  const project = randomUUID().replaceAll('-', '')
  const openstack = over.openstack === true ? await startFakeOpenstack(project) : undefined
  const front = await startFront(turns, openstack?.admits)
  openstack?.setOctavia(`${front.endpoint}/`)
  const settings = octaviaSettings.parse({
    ...(openstack === undefined
      ? { authUrl: null, endpoint: front.endpoint }
      : { authUrl: `${openstack.endpoint}/v3/`, floatingNetworkId: openstack.network }),
    projectId: project,
    vipSubnetId: randomUUID(),
    pageSize: 2,
    ...over.settings,
  })
  const another = () =>
    createOctaviaDriver({
      name: 'octavia',
      installation: ourInstallation,
      clock: systemClock,
      logger: silentLogger,
      settings,
      credentials: openstack?.credentials ?? null,
      budget: plentyBudget(),
      errorRestMs: 0,
      ...over.options,
    })
  const ask: OctaviaWorld['ask'] = (method, path, body) =>
    turns((endpoint) => askOctavia(endpoint, { method, path, body }))
  const settle = async (): Promise<void> => {
    // What is told may be part of something that was told later: ask until nothing is PENDING.
    while ((await flipper.flip({ project })) > 0);
  }
  const world = { project, front, flipper, settings, ask, settle, another }
  return {
    ...world,
    driver: another(),
    balancers: () => balancersOf(world),
    openstack: () => {
      if (openstack === undefined) throw new Error('this world has no Keystone and no Neutron')
      return openstack
    },
    things: async () => [
      ...(await balancersOf(world)).map(toThing),
      ...[...(openstack?.floatingIps.values() ?? [])].map((each) => ({
        kind: 'floating IP',
        ref: each.id,
        marks: marksInDescription(each.description),
      })),
    ],
    serving: async () =>
      (await Promise.all((await balancersOf(world)).map((each) => servingOf(world, each)))).flat(),
    plant: async (desired, how) => {
      await ask('POST', '/v2/lbaas/loadbalancers', plantBody(world, desired, how))
      await settle()
    },
    plantUnmarked: async () => {
      const body = { name: 'by hand', project_id: project, vip_subnet_id: settings.vipSubnetId }
      const made = await ask('POST', '/v2/lbaas/loadbalancers', { loadbalancer: body })
      await settle()
      return balancer.parse(inField(made, 'loadbalancer')).id
    },
    failNext: (when) => front.meet({ meets: when === 'before' ? 'no-effect' : 'lost-reply' }),
    sample: (number, sampleOver) => sampleOf(number, sampleOver),
    tagByHand: (marks) => tagByHand(world, marks),
    keepsTagByHand: async (marks) =>
      (await oursOf(world, marks)).every(({ tags }) => tags.includes(handTag)),
    stop: async () => {
      await front.stop()
      await openstack?.stop()
    },
  }
}

type Inside = Pick<OctaviaWorld, 'project' | 'ask' | 'settle' | 'settings'>

const handTag = 'cost-centre=4711'

/** Weights beyond Octavia's range are tried in tests of their own; the address is the cloud's to give. */
export const sampleOf = (number = 1, over: SampleOver = {}): DesiredResource =>
  desiredOf(number, {
    driver: 'octavia',
    frontends: [{ ip: '0.0.0.0', protocol: 'TCP', port: 80, nodePort: 30_080 }] as never,
    ...over,
  })

const askOctavia = async (
  endpoint: string,
  call: {
    readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
    readonly path: string
    readonly body: unknown
  },
): Promise<unknown> => {
  const dispatcher = new Agent()
  try {
    const { statusCode, body } = await request(`${endpoint}${call.path}`, {
      dispatcher,
      method: call.method,
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: call.body === undefined ? null : JSON.stringify(call.body),
    })
    const text = await body.text()
    if (statusCode >= 400) throw new Error(`${call.method} ${call.path}: ${statusCode} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  } finally {
    await dispatcher.close()
  }
}

const inField = (body: unknown, field: string): unknown => (body as Record<string, unknown>)[field]

const balancersOf = async ({ ask, project }: Inside): Promise<readonly Balancer[]> => {
  const answer = await ask('GET', `/v2/lbaas/loadbalancers?project_id=${project}`)
  const all = balancer.array().parse(inField(answer, 'loadbalancers'))
  return all.filter(({ provisioning_status: status }) => status !== 'DELETED')
}

const oursOf = async (world: Inside, marks: DesiredResource['marks']) =>
  (await balancersOf(world)).filter(({ tags }) => labelsOf(tags)?.marks.key === marks.key)

const tagByHand = async (world: Inside, marks: DesiredResource['marks']): Promise<void> => {
  for (const { id, tags } of await oursOf(world, marks)) {
    const body = { loadbalancer: { tags: [handTag, ...tags] } }
    await world.ask('PUT', `/v2/lbaas/loadbalancers/${id}`, body)
    await world.settle()
  }
}

const toThing = ({ id, tags }: Balancer): Thing => ({
  kind: 'load balancer',
  ref: id,
  marks: labelsOf(tags)?.marks ?? null,
})

/** As the driver makes it; half of it is the load balancer alone, with its marks. */
const plantBody = (
  { settings, project }: Inside,
  desired: DesiredResource,
  how: 'whole' | 'half',
): unknown => {
  const wish = wishOf(settings, desired)
  const { loadbalancer } = createBody(wish, project)
  if (how === 'whole') return { loadbalancer }
  const { listeners: _listeners, ...bare } = loadbalancer
  return { loadbalancer: { ...bare, tags: tagsOf(wish) } }
}

/** What a load balancer does with traffic, as octavia-api tells; nothing while it has no listener. */
const servingOf = async (world: Inside, { id, tags }: Balancer): Promise<readonly Serving[]> => {
  const list = async (path: string, field: string): Promise<unknown> =>
    inField(await world.ask('GET', `/v2/lbaas/${path}`), field)
  const labels = labelsOf(tags)
  if (labels === null) return []
  const listeners = listener
    .array()
    .parse(await list(`listeners?load_balancer_id=${id}`, 'listeners'))
  const parts = await Promise.all(
    listeners.map(async (at) => {
      const found = pool.parse(await list(`pools/${at.default_pool_id ?? ''}`, 'pool'))
      const members = member.array().parse(await list(`pools/${found.id}/members`, 'members'))
      const path = `healthmonitors/${found.healthmonitor_id ?? ''}`
      return { at, found, members, health: monitor.parse(await list(path, 'healthmonitor')) }
    }),
  )
  const [first] = parts
  if (first === undefined) return []
  const { installation, key, epoch } = labels.marks
  const { at, found, members, health } = first
  return [
    {
      installation,
      key,
      epoch,
      generation: labels.generation,
      frontends: parts.map(({ at: { protocol, protocol_port: port } }) => ({ protocol, port })),
      targets: parts.flatMap((part) =>
        part.members.map(({ address, protocol_port: nodePort, weight }) => ({
          at: address,
          nodePort,
          weight,
        })),
      ),
      sourceRanges: at.allowed_cidrs,
      // Without members nobody is asked; the port is then as good as right.
      health: { port: members[0]?.monitor_port ?? 10_256, path: health.url_path ?? '' },
      proxyProtocol: found.protocol === 'PROXYV2' ? 'v2' : 'none',
      affinity: found.session_persistence?.type === 'SOURCE_IP' ? 'ClientIP' : 'None',
    },
  ]
}

/** Changes only, as `METHOD PATH` with ids left out. */
export const changesSeen = (seen: readonly Seen[]): readonly string[] =>
  seen
    .filter(({ method }) => method !== 'GET')
    .map(
      ({ method, path }) =>
        `${method} ${path.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')}`,
    )
