import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '../data-plane/kernel/run-program.ts'
import { addressOf, type Lab } from './lab.ts'

export type LabEdge = 'e1' | 'e2'

/**
 * A gobgpd on each edge of a lab and a bird on its router, with a session between each two. What the router hears is in
 * a table of its own, below that of its other routes: `routeTo` of the lab goes before it.
 */
export interface LabBgp {
  /** Where the API of an edge's gobgpd answers, from every namespace: `WEIR_EDGE_BGP_API`. */
  apiOf(edge: LabEdge): string
  /** The edges that the router's kernel shares the flows to an address among; none without a route. */
  routesTo(address: string): Promise<readonly LabEdge[]>
  /** Kills gobgpd of an edge: routers hear it from the kernel, at once. */
  kill(edge: LabEdge): Promise<void>
  /** Starts it again, with nothing to announce. */
  start(edge: LabEdge): Promise<void>
  /** Its gobgpd neither does nor says anything any more, until it is killed. */
  hang(edge: LabEdge): void
  /** Ends it as an operator does: it says farewell to the router. */
  leave(edge: LabEdge): Promise<void>
  /** Ends all daemons. */
  stop(): Promise<void>
}

/** The shortest hold time that BGP allows; routers notice an edge that falls silent after so many seconds. */
export const holdSeconds = 3
/** The router's table of what it heard. */
export const heardTable = 100

/** Why there can be no BGP in a lab here; undefined when there can. */
export const bgpProblem = async (): Promise<string | undefined> => {
  try {
    await runProgram(['gobgpd', '--version'])
    await runProgram(['bird', '--version'])
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const edges = ['e1', 'e2'] as const
const patienceMs = 20_000

/** Starts BGP in a lab and waits until the router has a session with both edges. */
export const startBgp = async (lab: Lab): Promise<LabBgp> => {
  const folder = await mkdtemp(join(tmpdir(), 'weir-bgp-'))
  const daemons = new Map<'router' | LabEdge, ChildProcess>()
  const apiOf = (edge: LabEdge): string => `unix://${join(folder, `${edge}.sock`)}`
  const control = join(folder, 'bird.ctl')

  const run = (host: 'router' | LabEdge, argv: readonly string[]): void => {
    const options = { stdio: 'ignore' } as const
    const child = spawn('ip', ['netns', 'exec', lab.spaceOf(host), ...argv], options)
    lab.endsWith(child)
    daemons.set(host, child)
  }
  const end = async (
    host: 'router' | LabEdge,
    signal: NodeJS.Signals = 'SIGKILL',
  ): Promise<void> => {
    const child = daemons.get(host)
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  const start = async (edge: LabEdge): Promise<void> => {
    const file = join(folder, `${edge}.toml`)
    await writeFile(file, gobgpdOf(edge))
    // A gobgpd that was killed leaves its socket, and another one does not take its place.
    await rm(join(folder, `${edge}.sock`), { force: true })
    run(edge, ['gobgpd', '-f', file, '--api-hosts', apiOf(edge), '--pprof-disable'])
    await until(async () => {
      const said = await runProgram(['birdc', '-s', control, 'show', 'protocols', edge])
      return said.includes('Established')
    })
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...daemons.keys()].map((host) => end(host)))
    await rm(folder, { recursive: true, force: true })
  }
  try {
    for (const family of ['-4', '-6']) {
      const rule = ['rule', 'add', 'priority', '33000', 'lookup', String(heardTable)]
      await lab.on('router')(['ip', family, ...rule])
    }
    const file = join(folder, 'bird.conf')
    await writeFile(file, birdText)
    run('router', ['bird', '-f', '-c', file, '-s', control])
    await Promise.all(edges.map(start))
  } catch (error) {
    await stop()
    throw error
  }
  return {
    apiOf,
    routesTo: async (address) => {
      const family = address.includes(':') ? '-6' : '-4'
      const argv = ['ip', family, 'route', 'show', 'table', 'all', 'exact', address]
      const words = (await lab.on('router')(argv)).split(/\s+/)
      return edges.filter((edge) => Object.values(addressOf(edge)).some((ip) => words.includes(ip)))
    },
    kill: (edge) => end(edge),
    start,
    hang: (edge) => void daemons.get(edge)?.kill('SIGSTOP'),
    leave: (edge) => end(edge, 'SIGTERM'),
    stop,
  }
}

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const late = AbortSignal.timeout(patienceMs)
  while (!(await holds().catch(() => false))) {
    if (late.aborted) throw new Error('no session between the router and an edge of the lab')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const numbers = { edges: 64_512, router: 64_500 } as const

const gobgpdOf = (edge: LabEdge): string => `
[global.config]
  as = ${numbers.edges}
  router-id = "${addressOf(edge).IPv4}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${addressOf('router').IPv4}"
    peer-as = ${numbers.router}
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = ${holdSeconds}
    keepalive-interval = 1
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
`

const birdText = `
router id ${addressOf('router').IPv4};
protocol device {}
protocol kernel { ipv4 { import none; export all; }; kernel table ${heardTable}; merge paths on; }
protocol kernel { ipv6 { import none; export all; }; kernel table ${heardTable}; merge paths on; }
template bgp edge {
  local ${addressOf('router').IPv4} as ${numbers.router};
  hold time ${holdSeconds};
  keepalive time 1;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 2;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
${edges
  .map(
    (edge) => `protocol bgp ${edge} from edge {
  neighbor ${addressOf(edge).IPv4} as ${numbers.edges};
}`,
  )
  .join('\n')}
`
