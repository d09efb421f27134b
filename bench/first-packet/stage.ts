import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import {
  edgeNames,
  startKernelPlatform,
  type KernelPlatform,
} from '../../e2e/lab/kernel-platform.ts'
import { controlPorts, nodeNames } from '../../e2e/lab/places.ts'
import { tableName } from '../../services/edge/data-plane/kernel/skeleton.ts'
import { addressOf, pools, vipPort, type Host, type Lab } from '../../services/edge/rig/lab.ts'
import { arrivedIn } from './nft-news.ts'
import { createSightings, type Noted, type Sightings } from './sightings.ts'

/** The platform with pods that answer, and everybody who looks at what happens to a Service. */
export interface Stage {
  readonly sightings: Sightings
  make(name: string): void
  /** Has the log's own times of a Service among the sightings when it resolves. */
  readStory(uid: string): Promise<void>
  close(): Promise<void>
}

export interface StageOptions {
  readonly policy: 'Cluster' | 'Local'
  /** The least time between two syncs of kube-proxy, ms; undefined for what it has by itself. */
  readonly proxyPauseMs: number | undefined
  /** Aborts when somebody wants the bench to end. */
  readonly signal: AbortSignal
  readonly tell: (line: string) => void
}

const app = 'first-packet'

export const openStage = async (options: StageOptions): Promise<Stage> => {
  const { signal, tell, proxyPauseMs } = options
  tell('starting the platform with its kernel edges, an API server and kube-proxies')
  // Its name says iptables, and kube-proxy heeds it in every mode but ipvs.
  const pause = proxyPauseMs === undefined ? [] : [`--iptables-min-sync-period=${proxyPauseMs}ms`]
  const platform = await startKernelPlatform({ proxyArguments: pause })
  try {
    signal.throwIfAborted()
    for (const node of nodeNames) await platform.pods.add(`${app}-${node}`, app, node)
    const sightings = createSightings()
    const asker = await startAsker(platform.lab, sightings)
    for (const edge of edgeNames) {
      await followNft(platform.lab, edge, ({ table, map, ip }) => {
        if (table !== tableName || map !== 'fe') return
        sightings.note({ who: ip, mark: `applied ${edge}`, at: systemClock.now() })
        // Nobody is answered before the first edge has it.
        asker(ip)
      })
    }
    for (const node of nodeNames) {
      await followNft(platform.lab, node, ({ table, map, ip }) => {
        if (table !== 'kube-proxy' || map !== 'service-ips') return
        sightings.note({ who: ip, mark: `ready ${node}`, at: systemClock.now() })
      })
    }
    const maker = await startMaker(platform, options.policy, sightings)
    return {
      sightings,
      make: (name) => maker(`make ${name}`),
      readStory: async (uid) => {
        maker(`story ${uid}`)
        await eventually(() => sightings.of(uid)['story'] !== undefined, { deadlineMs: 60_000 })
      },
      close: () => platform.stop(),
    }
  } catch (error) {
    await platform.stop()
    throw error
  }
}

interface Script {
  readonly lab: Lab
  readonly host: Host
  readonly name: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** Runs a script of this folder on a host; it gets lines, and what it says is noted. */
const startScript = (script: Script, sightings: Sightings) => {
  const { lab, host, name, args, env } = script
  const file = join(import.meta.dirname, name)
  const argv = ['netns', 'exec', lab.spaceOf(host), process.execPath, file, ...args]
  const child = spawn('ip', argv, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  lab.endsWith(child)
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    if (line === 'ready') return
    const noted: Noted = JSON.parse(line)
    sightings.note(noted)
  })
  const send = (line: string): void => void child.stdin.write(`${line}\n`)
  return { send, lines }
}

/** The client gets an address for each edge, and the router leads what comes from it through that edge. */
const startAsker = async (lab: Lab, sightings: Sightings) => {
  const ways = edgeNames.map((edge, at) => ({
    edge,
    from: `198.51.100.${101 + at}`,
    rules: 101 + at,
  }))
  for (const { edge, from, rules } of ways) {
    await lab.on('client')(['ip', 'addr', 'add', `${from}/24`, 'dev', 'eth0'])
    const via = ['via', addressOf(edge).IPv4, 'dev', 'eth1', 'table', `${rules}`]
    await lab.on('router')(['ip', 'route', 'add', pools.IPv4, ...via])
    await lab.on('router')(['ip', 'rule', 'add', 'from', from, 'lookup', `${rules}`])
  }
  const args = [`${vipPort}`, ...ways.map(({ edge, from }) => `${edge}=${from}`)]
  const asked = new Set<string>()
  const { send } = startScript({ lab, host: 'client', name: 'asker.ts', args }, sightings)
  return (ip: string): void => {
    if (asked.has(ip)) return
    asked.add(ip)
    send(ip)
  }
}

const startMaker = async (
  { lab, session }: KernelPlatform,
  policy: string,
  sightings: Sightings,
) => {
  const env = session()
  const bus = `nats://127.0.0.1:${controlPorts.nats}`
  const args = [env['KUBECONFIG'] ?? '', bus, app, `${vipPort}`, policy]
  const { send, lines } = startScript(
    { lab, host: 'control', name: 'maker.ts', args, env },
    sightings,
  )
  await once(lines, 'line', { signal: AbortSignal.timeout(60_000) })
  return send
}

/** Tells of every element that comes into a table of a host from now on. */
const followNft = async (
  lab: Lab,
  host: Host,
  handle: (arrived: NonNullable<ReturnType<typeof arrivedIn>>) => void,
): Promise<void> => {
  let heard = false
  const argv = [
    'netns',
    'exec',
    lab.spaceOf(host),
    'stdbuf',
    '-oL',
    'nft',
    'monitor',
    'new',
    'elements',
  ]
  const child: ChildProcess = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  lab.endsWith(child)
  if (child.stdout === null) throw new Error('nft monitor has no output')
  createInterface({ input: child.stdout }).on('line', (line) => {
    heard = true
    const arrived = arrivedIn(line)
    if (arrived) handle(arrived)
  })
  // It says nothing until something happens: so something does.
  await eventually(
    async () => {
      const set = 'set seen { type mark; elements = { 1 }; }'
      await lab.on(host)(['nft', '-f', '-'], `table ip seen {\n${set}\n}\n`)
      await lab.on(host)(['nft', 'delete', 'table', 'ip', 'seen'])
      return heard
    },
    { deadlineMs: 60_000 },
  )
}
