// Machines of one host, for a real kernel edge: network namespaces on a segment of their own, which this host reaches
// by an interface. Each lives as long as a process that holds it, which dies with this one, however it dies; and with
// the namespaces the kernel takes every interface and route away. So nothing is left behind, after a crash neither.
import { execFile } from 'node:child_process'
import { readlinkSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startChild, waitUntil, type Child } from '@weir/embedded'
import { CommandFailed } from '../exit.ts'

const run = promisify(execFile)

export interface Machine {
  readonly name: string
  readonly address: string
  /** The same program, to be run on this machine. */
  inside(program: string, args: readonly string[]): { program: string; args: readonly string[] }
}

export interface Segment {
  /** This host's own address on it. */
  readonly host: string
  readonly edge: Machine
  readonly nodes: readonly Machine[]
  stop(): Promise<void>
}

/** Where things are on network `n` of a platform: of the range for benchmarks (RFC 2544), which nobody routes. */
export const kernelPlaces = (n: number) => ({
  segment: `198.18.${n}.0/24`,
  host: `198.18.${n}.1`,
  edge: `198.18.${n}.11`,
  nodes: [1, 2, 3].map((node) => ({ name: `node-${node}`, address: `198.18.${n}.2${node}` })),
  pool: `198.19.${n}.0/24`,
})

const tools = ['ip', 'nft', 'unshare', 'nsenter', 'setpriv', 'sysctl']

/** @throws CommandFailed when there can be no machines of this host, with the reason and what to do */
export const demandKernel = async (): Promise<void> => {
  const refuse = (why: string, hint: string): never => {
    throw new CommandFailed('failed', `the kernel data plane cannot run here: ${why}`, hint)
  }
  if (process.platform !== 'linux') refuse('it is Linux alone that has nftables', another)
  for (const tool of tools) {
    const there = await run('sh', ['-c', `command -v ${tool}`]).catch(() => undefined)
    if (!there) refuse(`there is no ${tool}`, 'install nftables, iproute2, util-linux and procps')
  }
  if (await works('unshare', '--net', 'true')) return
  const inside = 'unshare -Urnm npm start -- --data-plane kernel'
  if (await works('unshare', '-Urnm', 'true'))
    refuse('network namespaces are for root', `as root, or in a namespace of your own: ${inside}`)
  refuse(
    'network namespaces are for root, and this machine gives ordinary users none of their own',
    'as root; or let the machine have user namespaces (sysctl user.max_user_namespaces)',
  )
}

const another = 'leave --data-plane out for the one that needs no rights'

const works = (program: string, ...args: readonly string[]): Promise<boolean> =>
  run(program, [...args]).then(
    () => true,
    () => false,
  )

/** How whoever is outside the user namespace that this runs in comes in; undefined when it is in none. */
export const wayIn = (): string | undefined => {
  const all = readFileSync('/proc/self/uid_map', 'utf8').trim().endsWith('4294967295')
  return all ? undefined : `nsenter --preserve-credentials -U -n -m -t ${process.pid}`
}

/** Builds the machines. They end with `stop`, and with this process. */
export const buildSegment = async (folder: string, network: number): Promise<Segment> => {
  const places = kernelPlaces(network)
  const holders: Child[] = []
  const machine = async (name: string, address: string): Promise<Machine> => {
    const holder = await startChild({
      name: `machine-${name}`,
      runDir: join(folder, 'run'),
      program: '/usr/bin/unshare',
      args: ['--net', '--', 'sleep', 'infinity'],
      stopSignal: 'SIGKILL',
    })
    holders.push(holder)
    const own = readlinkSync('/proc/self/ns/net')
    const isApart = (): boolean => readlinkSync(`/proc/${holder.pid}/ns/net`) !== own
    if (!(await waitUntil(isApart, 10_000)))
      throw new CommandFailed('failed', `machine ${name} did not start: ${holder.lastWords()}`)
    const inside: Machine['inside'] = (program, args) => ({
      program: '/usr/bin/nsenter',
      args: ['--net', '--target', String(holder.pid), '--', program, ...args],
    })
    return { name, address, inside }
  }
  const stop = async (): Promise<void> => {
    // Once a machine's process ended, the kernel takes its interfaces away in its own time, ours at the other end too. It
    // is not there if the wiring did not come as far.
    await works('ip', 'link', 'del', uplinkOf(network))
    await Promise.all(holders.map((holder) => holder.stop()))
  }
  try {
    const hub = await machine('switch', '')
    const edge = await machine('edge', places.edge)
    const nodes = await Promise.all(places.nodes.map(({ name, address }) => machine(name, address)))
    await wire({ network, hub, edge, nodes })
    return { host: places.host, edge, nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** This machine's own interface to the others. */
const uplinkOf = (network: number): string => `weir${network}`

interface Wiring {
  readonly network: number
  readonly hub: Machine
  readonly edge: Machine
  readonly nodes: readonly Machine[]
}

/**
 * The switch is a machine of its own, since a host may have its bridges filtered. A node takes every address of the
 * pool for its own and tells nobody, so that what the edge hands it arrives, and answers its clients itself.
 */
const wire = async ({ network, hub, edge, nodes }: Wiring): Promise<void> => {
  const { host, pool } = kernelPlaces(network)
  const uplink = uplinkOf(network)
  await batchOn(hub, ['link add br0 type bridge', 'link set br0 up'])
  for (const machine of [edge, ...nodes]) {
    const pid = pidOf(machine)
    await batchOn(hub, [
      `link add ${machine.name} type veth peer name eth0 netns ${pid}`,
      `link set ${machine.name} master br0 up`,
    ])
    await sysctlOn(machine, ['ip_forward=0', 'conf.all.rp_filter=0', 'conf.default.rp_filter=0'])
    await sysctlOn(machine, ['conf.all.arp_ignore=1', 'conf.all.arp_announce=2'])
    await batchOn(machine, [
      'link set lo up',
      'link set eth0 up',
      `addr add ${machine.address}/24 dev eth0`,
    ])
  }
  for (const node of nodes) await batchOn(node, [`route add local ${pool} dev lo`])
  const lines = [
    'link set lo up',
    `link add ${uplink} type veth peer name host netns ${pidOf(hub)}`,
    `link set ${uplink} up`,
    `addr add ${host}/24 dev ${uplink}`,
    `route add ${pool} via ${edge.address}`,
  ]
  for (const line of lines) await ip(line.split(' '))
  await batchOn(hub, ['link set host master br0 up'])
}

const pidOf = (machine: Machine): string => machine.inside('', []).args[2] ?? ''

const batchOn = async (machine: Machine, lines: readonly string[]): Promise<void> => {
  for (const line of lines) {
    const { program, args } = machine.inside('ip', line.split(' '))
    await call(program, args)
  }
}

const sysctlOn = async (machine: Machine, settings: readonly string[]): Promise<void> => {
  const { program, args } = machine.inside('sysctl', [
    '-q',
    '-w',
    ...settings.map((each) => `net.ipv4.${each}`),
  ])
  await call(program, args)
}

const ip = (args: readonly string[]): Promise<void> => call('ip', args)

const call = async (program: string, args: readonly string[]): Promise<void> => {
  try {
    await run(program, [...args])
  } catch (cause) {
    const why = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    const what = [program, ...args].join(' ')
    throw new CommandFailed('failed', `cannot wire the machines of this host: ${what}: ${why}`)
  }
}
