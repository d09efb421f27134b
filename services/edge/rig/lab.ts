import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { explainError } from '@weir/kernel'
import { runProgram, type RunProgram } from '../data-plane/kernel/run-program.ts'
import { askFrom, vipPort, wordsOf, type Asking, type Held, type Knocking } from './lab-flows.ts'

export { vipPort } from './lab-flows.ts'

/** A host of the lab: a network namespace. */
export type Host =
  | 'client'
  | 'router'
  | 'switch'
  | 'control'
  | 'e1'
  | 'e2'
  | 'n1'
  | 'n2'
  | 'n3'
  | 'far'

/**
 * One client, a router, two edges, three nodes and a machine for a control plane in network namespaces. The
 * client is behind the router, and so is `far`, a node of a segment of its own, 10.2.0.0/24; all others are on one segment, 10.0.0.0/24 and 2001:db8:1::/64, with their
 * own address as `eth0`. Needs root, or a user namespace of one's own.
 */
export interface Lab {
  /** Runs a program on a host. */
  on(host: Host): RunProgram
  /** The name of a host's network namespace. */
  spaceOf(host: Host): string
  /** What flows from the client are answered, one after the other: `NODE CLIENT`, or null for nothing. */
  ask(flow: Asking): Promise<readonly (string | null)[]>
  /** Begins a new flow from the client every few milliseconds, until it is told to stop. */
  knock(flow: Asking): Promise<Knocking>
  /** Sends datagrams of one flow from the client as fast as it can until it is told to stop; how many it were. */
  flood(flow: Asking): Promise<{ stop(): Promise<number> }>
  /** Ends this process with the lab. */
  endsWith(child: ChildProcess): void
  /** Opens flows from the client that stay open until the lab ends; TCP connections unless it is said. */
  hold(address: string, count: number, protocol?: 'TCP' | 'UDP'): Promise<Held>
  /** Sends the virtual addresses to these edges from now on, shared by flow. */
  routeTo(...edges: readonly ('e1' | 'e2')[]): Promise<void>
  stop(): Promise<void>
}

export const vips = { IPv4: '203.0.113.10', IPv6: '2001:db8:f::10' } as const
/** The router sends all of these to the edges. */
export const pools = { IPv4: '203.0.113.0/24', IPv6: '2001:db8:f::/64' } as const
export const clientAddresses = { IPv4: '198.51.100.7', IPv6: '2001:db8:c::7' } as const

const numbers = { router: 1, control: 2, e1: 11, e2: 12, n1: 21, n2: 22, n3: 23 } as const
export const addressOf = (host: keyof typeof numbers): { IPv4: string; IPv6: string } => ({
  IPv4: `10.0.0.${numbers[host]}`,
  IPv6: `2001:db8:1::${numbers[host]}`,
})

export const farAddress = '10.2.0.21'

const nodes = ['n1', 'n2', 'n3'] as const
const onSegment = ['router', 'control', 'e1', 'e2', ...nodes] as const
const hosts: readonly Host[] = ['client', 'switch', 'far', ...onSegment]

/**
 * What nodes do: `answer` for the virtual addresses themselves, as kube-proxy and a pod behind it come to, or
 * nothing yet but route, for a real kube-proxy to be started on them.
 */
export type NodesOfLab = 'answer' | 'route'

/**
 * Makes a user namespace that has just begun (`unshare -Urnm`) ready for the lab: `ip netns` keeps names in `/run`, which is
 * the machine's still and not to be written, and the loopback interface is down. `labProblem` tells whoever else may not
 * write there. To be called once, before there is anything of the lab.
 */
export const openNamespace = async (): Promise<void> => {
  const mayWrite = await access('/run', constants.W_OK).then(
    () => true,
    () => false,
  )
  if (mayWrite) return
  try {
    await runProgram(['mount', '-t', 'tmpfs', 'tmpfs', '/run'])
    await runProgram(['ip', 'link', 'set', 'lo', 'up'])
  } catch (error) {
    process.stderr.write(`${explainError(error)}\n`)
  }
}

/** Why the lab cannot be built here; undefined when it can. */
export const labProblem = async (): Promise<string | undefined> => {
  const name = `weir-${randomBytes(3).toString('hex')}`
  try {
    await runProgram(['nft', '--version'])
    await runProgram(['ip', 'netns', 'add', name])
    await runProgram(['ip', 'netns', 'del', name])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export const createLab = async (nodesOfLab: NodesOfLab = 'answer'): Promise<Lab> => {
  await removeOrphans()
  const id = `${process.pid}-${randomBytes(3).toString('hex')}`
  const spaceOf = (host: Host): string => `weir-${id}-${host}`
  const children: ChildProcess[] = []
  const on =
    (host: Host): RunProgram =>
    (argv, input) =>
      runProgram(['ip', 'netns', 'exec', spaceOf(host), ...argv], input)
  const batch = async (host: Host, lines: readonly string[]): Promise<void> => {
    await on(host)(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
  }
  const start = (host: Host, script: string, args: readonly string[]) => {
    const argv = ['netns', 'exec', spaceOf(host), process.execPath, scriptOf(script), ...args]
    const child = spawn('ip', argv, { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    return { child, lines: createInterface({ input: child.stdout }) }
  }

  /** A client that goes on until it is told to stop, and then says what came of it. */
  const startUntilTold = async (act: 'knock' | 'flood', flow: Asking) => {
    const { child, lines } = start('client', 'lab-client.ts', [act, ...wordsOf(flow)])
    await nextLine(lines)
    return {
      stop: async () => {
        const line = nextLine(lines)
        child.stdin.write('stop\n')
        return JSON.parse(await line)
      },
    }
  }

  const stop = async (): Promise<void> => {
    for (const child of children) child.kill('SIGKILL')
    for (const host of hosts) await runProgram(['ip', 'netns', 'del', spaceOf(host)])
  }
  for (const host of hosts) await runProgram(['ip', 'netns', 'add', spaceOf(host)])
  try {
    await build({ spaceOf, on, batch })
    if (nodesOfLab === 'answer') {
      const answering = ['far', ...nodes] as const
      await Promise.all(answering.map((node) => batch(node, virtualAddresses)))
      const pods = answering.map((node) =>
        start(node, 'pod.ts', [node, Object.values(vips).join(), String(vipPort)]),
      )
      await Promise.all(pods.map(({ lines }) => nextLine(lines)))
    }
  } catch (error) {
    await stop()
    throw error
  }

  return {
    on,
    spaceOf,
    endsWith: (child) => void children.push(child),
    ask: (flow) => askFrom(on('client'), flow),
    knock: (flow) => startUntilTold('knock', flow),
    flood: (flow) => startUntilTold('flood', flow),
    hold: async (address, count, protocol = 'TCP') => {
      const args = ['hold', String(count), ...wordsOf({ protocol, address })]
      const { child, lines } = start('client', 'lab-client.ts', args)
      const answers: readonly (string | null)[] = JSON.parse(await nextLine(lines))
      const lostOf = async (bytes: number): Promise<readonly string[]> => {
        const line = nextLine(lines)
        child.stdin.write(`${bytes}\n`)
        return JSON.parse(await line)
      }
      const send = async (bytes: number) => count - (await lostOf(bytes)).length
      return {
        answers,
        lost: () => lostOf(10),
        alive: () => send(10),
        send,
        end: () => void child.kill('SIGKILL'),
      }
    },
    routeTo: async (...edges) => {
      const via = (family: 'IPv4' | 'IPv6'): string =>
        edges.map((edge) => `nexthop via ${addressOf(edge)[family]} dev eth1`).join(' ')
      await batch('router', [
        `route replace ${pools.IPv4} ${via('IPv4')}`,
        `route replace ${pools.IPv6} ${via('IPv6')}`,
      ])
    },
    stop,
  }
}

/** Removes the namespaces of labs whose process was killed; the number in their name is its id. */
const removeOrphans = async (): Promise<void> => {
  for (const line of (await runProgram(['ip', 'netns', 'list'])).split('\n')) {
    const [space = '', owner] = /^weir-(\d+)-\S+/.exec(line) ?? []
    if (owner !== undefined && !isAlive(Number(owner)))
      await runProgram(['ip', 'netns', 'del', space])
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const patienceMs = 30_000

const scriptOf = (name: string): string => join(import.meta.dirname, name)

/** The next thing that a process of the lab prints. @throws AbortError when it says nothing for long */
const nextLine = async (lines: Interface): Promise<string> => {
  const [line] = await once(lines, 'line', { signal: AbortSignal.timeout(patienceMs) })
  return String(line)
}

interface Building {
  readonly spaceOf: (host: Host) => string
  readonly on: (host: Host) => RunProgram
  readonly batch: (host: Host, lines: readonly string[]) => Promise<void>
}

const build = async ({ spaceOf, on, batch }: Building): Promise<void> => {
  for (const host of hosts) await on(host)(['sysctl', '-q', '-w', ...sysctls(host)])
  await batch('switch', [
    'link add br0 type bridge',
    'link set br0 up',
    ...onSegment.flatMap((host) => {
      const own = host === 'router' ? 'eth1' : 'eth0'
      return [
        `link add ${host} type veth peer name ${own} netns ${spaceOf(host)}`,
        `link set ${host} master br0 up`,
      ]
    }),
  ])
  await batch('router', [
    `link add eth0 type veth peer name eth0 netns ${spaceOf('client')}`,
    `link add eth2 type veth peer name eth0 netns ${spaceOf('far')}`,
  ])
  await batch('client', [
    'link set lo up',
    'link set eth0 up',
    `addr add ${clientAddresses.IPv4}/24 dev eth0`,
    `addr add ${clientAddresses.IPv6}/64 dev eth0 nodad`,
    'route add default via 198.51.100.1',
    'route add default via 2001:db8:c::1',
  ])
  await batch('router', [
    'link set eth0 up',
    'addr add 198.51.100.1/24 dev eth0',
    'addr add 2001:db8:c::1/64 dev eth0 nodad',
    'link set eth2 up',
    'addr add 10.2.0.1/24 dev eth2',
    'addr add 2001:db8:2::1/64 dev eth2 nodad',
  ])
  await batch('far', [
    'link set lo up',
    'link set eth0 up',
    `addr add ${farAddress}/24 dev eth0`,
    'addr add 2001:db8:2::21/64 dev eth0 nodad',
    'route add default via 10.2.0.1',
    'route add default via 2001:db8:2::1',
  ])
  for (const host of onSegment) {
    const device = host === 'router' ? 'eth1' : 'eth0'
    const { IPv4, IPv6 } = addressOf(host)
    await batch(host, [
      'link set lo up',
      `link set ${device} up`,
      `addr add ${IPv4}/24 dev ${device}`,
      `addr add ${IPv6}/64 dev ${device} nodad`,
    ])
  }
  for (const node of nodes) {
    await batch(node, [
      `route add default via ${addressOf('router').IPv4}`,
      `route add default via ${addressOf('router').IPv6}`,
    ])
  }
}

/** Else a link looks for its own address first, and asks nobody for theirs for a second. */
export const noDad = 'net.ipv6.conf.default.accept_dad=0'

const virtualAddresses = [
  `addr add ${vips.IPv4}/32 dev lo`,
  `addr add ${vips.IPv6}/128 dev lo nodad`,
]

const isNode = (host: Host): boolean => host === 'far' || nodes.some((node) => node === host)

const sysctls = (host: Host): readonly string[] => [
  'net.ipv4.conf.all.rp_filter=0',
  'net.ipv4.conf.default.rp_filter=0',
  noDad,
  // A node has the virtual addresses and must not claim them on the segment.
  'net.ipv4.conf.all.arp_ignore=1',
  'net.ipv4.conf.all.arp_announce=2',
  ...(isNode(host) ? ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'] : []),
  ...(host === 'router'
    ? [
        'net.ipv4.ip_forward=1',
        'net.ipv6.conf.all.forwarding=1',
        'net.ipv4.conf.all.send_redirects=0',
        'net.ipv4.fib_multipath_hash_policy=1',
        'net.ipv6.fib_multipath_hash_policy=1',
      ]
    : []),
]
