// A real octavia-api with a flipper in the place of its workers: read past the proxy that
// misbehaves, with a journal of every change that it took.
import { randomUUID } from 'node:crypto'
import { systemClock } from '@weir/kernel'
import { createFlipper, type FateOf } from '../../libs/drivers/octavia/rig/flipper.ts'
import { startOctavia } from '../../libs/drivers/octavia/rig/servers.ts'
import type { Dice } from '../churn.ts'
import { startJournalProxy, type Taken, type Trouble } from './journal-proxy.ts'
import { ownerOf, type Change, type Owner, type Provider, type Thing } from './provider.ts'

interface Balancer {
  readonly id: string
  readonly tags?: readonly string[]
}
interface Listener {
  readonly id: string
  readonly protocol_port: number
  readonly loadbalancers: readonly { readonly id: string }[]
}

const flipEveryMs = 50
/** A balancer leaves PENDING after up to this. */
const workMs = 400

export const startOctaviaProvider = async (dice: Dice): Promise<Provider> => {
  const servers = await startOctavia()
  const proxy = await startJournalProxy(servers.endpoints)
  const flipper = createFlipper(servers.statusSocket, servers.databaseSocket)
  const ending = new AbortController()
  const project = randomUUID().replaceAll('-', '')
  const fates = { fail: 0, never: 0 }
  const flipping = flip({ flipper, fates, dice, signal: ending.signal })

  /** Reads go past the proxy; what a crime changes goes by way of it, into the journal. */
  const ask = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    const endpoint = init.method === undefined ? servers.endpoints[0] : proxy.endpoint
    const response = await fetch(`${endpoint}/v2/lbaas/${path}`, {
      ...init,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`octavia-api: ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : (JSON.parse(text) as unknown)
  }
  const things = async (): Promise<readonly Thing[]> => {
    const { loadbalancers } = (await ask('loadbalancers')) as { loadbalancers: Balancer[] }
    const { listeners } = (await ask('listeners')) as { listeners: Listener[] }
    return loadbalancers.map(({ id, tags = [] }) => ({
      kind: 'load balancer',
      ref: id,
      owner: ownerInTags(tags),
      whole: true,
      ports: listeners
        .filter((each) => each.loadbalancers.some((balancer) => balancer.id === id))
        .map((each) => each.protocol_port),
    }))
  }
  const often = (share: number, trouble: Trouble) => async () => {
    proxy.whenever(() => (dice.random() < share ? trouble : undefined))
    return async () => proxy.whenever(() => undefined)
  }
  const says = (status: number, words: string): Trouble => ({
    meets: 'answer',
    status,
    body: JSON.stringify({ faultcode: 'Server', faultstring: words }),
  })
  const fated = (kind: keyof typeof fates, share: number) => async () => {
    fates[kind] = share
    return async () => void (fates[kind] = 0)
  }
  return {
    name: 'octavia',
    account: {
      kind: 'octavia',
      account: project,
      settings: { authUrl: null, endpoint: proxy.endpoint, vipSubnetId: randomUUID() },
      credentials: null,
    },
    look: async () => undefined,
    things,
    changes: async () => changesOf(proxy.journal),
    faults: {
      'octavia is unavailable': often(0.7, says(503, 'Service Unavailable')),
      'octavia is busy': often(0.7, says(409, 'Load Balancer is immutable and cannot be updated.')),
      'octavia loses replies': often(0.5, { meets: 'lost-reply' }),
      'octavia breaks connections': often(0.5, { meets: 'no-effect' }),
      'octavia fails balancers': fated('fail', 0.3),
      'octavia never finishes': fated('never', 1),
    },
    plant: async (owner) => {
      const loadbalancer = {
        name: 'planted',
        vip_subnet_id: randomUUID(),
        project_id: project,
        tags: tagsOf(owner),
      }
      const body = JSON.stringify({ loadbalancer })
      const made = (await ask('loadbalancers', { method: 'POST', body })) as {
        loadbalancer: Balancer
      }
      return made.loadbalancer.id
    },
    tear: async ({ ref }) => {
      await ask(`loadbalancers/${ref}?cascade=true`, { method: 'DELETE' })
    },
    stop: async () => {
      ending.abort()
      await flipping
      flipper.stop()
      await proxy.stop()
      await servers.stop()
    },
  }
}

interface Flipping {
  readonly flipper: ReturnType<typeof createFlipper>
  readonly fates: { readonly fail: number; readonly never: number }
  readonly dice: Dice
  readonly signal: AbortSignal
}

/** Does Octavia's workers' part: each PENDING state ends after a while, as the fates have it. */
const flip = async ({ flipper, fates, dice, signal }: Flipping): Promise<void> => {
  const due = new Map<string, number>()
  const fateOf: FateOf = ({ id, status }) => {
    const key = `${id} ${status}`
    const at = due.get(key) ?? systemClock.now() + dice.random() * workMs
    due.set(key, at)
    if (systemClock.now() < at || fates.never > 0) return 'never'
    due.delete(key)
    return status === 'PENDING_DELETE' || dice.random() >= fates.fail ? 'finish' : 'fail'
  }
  while (!signal.aborted) {
    // What could not be told now is told at the next turn.
    await flipper.flip({ fateOf }).catch(() => undefined)
    await systemClock.sleep(flipEveryMs, signal)
  }
}

/** `weir-inst`, `weir-svc`, `weir-key`, `weir-epoch`. */
const names: Readonly<Record<string, string>> = {
  installation: 'inst',
  service: 'svc',
  key: 'key',
  epoch: 'epoch',
}

const ownerInTags = (tags: readonly string[]): Owner | null =>
  ownerOf((name) => {
    const start = `weir-${names[name] ?? name}=`
    return tags.find((tag) => tag.startsWith(start))?.slice(start.length)
  })

const tagsOf = ({ installation, service, key, epoch }: Owner): string[] => [
  `weir-inst=${installation}`,
  'weir-tenant=local',
  `weir-cluster=${service}`,
  `weir-svc=${service}`,
  `weir-key=${key}`,
  `weir-epoch=${epoch}`,
]

const kinds: Readonly<Record<string, string>> = {
  loadbalancers: 'load balancer',
  listeners: 'listener',
  pools: 'pool',
}

interface Made {
  readonly loadbalancer?: Balancer
  readonly listener?: { readonly id: string; readonly loadbalancer_id?: string }
  readonly pool?: { readonly id: string; readonly loadbalancer_id?: string }
}

const changesOf = (journal: readonly Taken[]): Change[] => {
  const owners = new Map<string, Owner | null>()
  return journal.flatMap(({ at, method, path, body, answer }): Change[] => {
    const [, noun = '', ref] = /\/lbaas\/(\w+)(?:\/([\w-]+))?$/.exec(path) ?? []
    const kind = kinds[noun]
    if (kind === undefined) return []
    const whole = noun === 'loadbalancers'
    if (method === 'DELETE' && ref !== undefined) {
      const owner = owners.get(ref) ?? null
      return [{ at, effect: 'delete', kind, ref, owner, whole }]
    }
    if (method !== 'POST') return []
    const [asked, made] = [body as Made, answer as Made]
    const id = (made.loadbalancer ?? made.listener ?? made.pool)?.id ?? ''
    const parent = asked.listener?.loadbalancer_id ?? asked.pool?.loadbalancer_id ?? ''
    const owner = whole ? ownerInTags(asked.loadbalancer?.tags ?? []) : (owners.get(parent) ?? null)
    owners.set(id, owner)
    return [{ at, effect: 'create', kind, ref: id, owner, whole }]
  })
}
