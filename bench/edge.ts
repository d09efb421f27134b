import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { desiredOf, fleet, serveOrder } from '../services/edge/rig/orders.ts'
import type { Measured, Task } from './edge-client.ts'
import { median, table } from './numbers.ts'

const node = { host: '127.93.1.1', port: 30_080 }
const healthPort = 10_256
const vip = { host: '127.93.2.1', port: 8080 }

/** Starts a file of ours and waits until it says that it is ready. */
const start = async (file: string, args: readonly string[]): Promise<ChildProcess> => {
  const child = fork(join(import.meta.dirname, file), args, { stdio: 'inherit' })
  await once(child, 'message')
  return child
}

/**
 * The edge agent as it runs in production, its own process. Its order lies on its disk already and its
 * bus is nowhere, so it forwards as it does when everything else is dead.
 */
const startEdge = async (folder: string, policy: string): Promise<ChildProcess> => {
  const desired = desiredOf({
    frontends: [{ ip: vip.host, protocol: 'TCP', port: vip.port, nodePort: node.port }],
    targets: [{ node: 'node-1', ip: node.host, weight: 1 }],
    health: { port: healthPort, path: '/healthz', weightFromHeader: false },
    policy,
  })
  await writeFile(join(folder, 'orders.jsonl'), `${JSON.stringify(serveOrder(desired))}\n`)
  const child = fork(join(import.meta.dirname, '../services/edge/main.ts'), [], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      NATS_URL: 'nats://127.93.3.1:4222',
      WEIR_FLEET: fleet,
      WEIR_EDGE_ID: 'bench',
      WEIR_EDGE_STATE_DIR: folder,
      LOG_LEVEL: 'error',
    },
  })
  for (let tries = 0; !(await answers()); tries += 1) {
    if (tries > 200) throw new Error(`the edge does not answer at ${vip.host}:${vip.port}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return child
}
const answers = (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ ...vip })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

const measure = async (client: ChildProcess, task: Task): Promise<Measured> => {
  // A measurement that takes ten times its time has lost an answer.
  const patience = AbortSignal.timeout(task.seconds * 10_000 + 10_000)
  const answer = once(client, 'message', { signal: patience })
  client.send(task)
  const [measured] = await answer
  return measured as Measured
}

/** What is printed: a number of one kind of task, and whether more is better. */
const lines = [
  { kind: 'download', field: 'gigabits', name: 'download, Gb/s', digits: 2 },
  { kind: 'upload', field: 'gigabits', name: 'upload, Gb/s', digits: 2 },
  { kind: 'latency', field: 'p50', name: 'round trip p50, us', digits: 0 },
  { kind: 'latency', field: 'p99', name: 'round trip p99, us', digits: 0 },
  { kind: 'connections', field: 'perSecond', name: 'new connections/s', digits: 0 },
  { kind: 'connections', field: 'synRetransmits', name: '  SYN retransmits', digits: 0 },
] as const
const kindsInOrder = ['download', 'upload', 'latency', 'connections'] as const

interface Round {
  readonly kind: Task['kind']
  readonly direct: Measured
  readonly edge: Measured
}

const runRounds = async (
  client: ChildProcess,
  rounds: number,
  seconds: number,
): Promise<readonly Round[]> => {
  const done: Round[] = []
  for (let round = 0; round < rounds; round += 1) {
    for (const kind of kindsInOrder) {
      // Side by side in time, and in turns first, so that a busy moment of the machine hits both.
      const first = { kind, seconds, ...(round % 2 === 0 ? node : vip) }
      const second = { kind, seconds, ...(round % 2 === 0 ? vip : node) }
      const [a, b] = [await measure(client, first), await measure(client, second)]
      done.push(round % 2 === 0 ? { kind, direct: a, edge: b } : { kind, direct: b, edge: a })
    }
  }
  return done
}

const print = (done: readonly Round[]): void => {
  const rows = lines.map(({ kind, field, name, digits }) => {
    const mine = done.filter((round) => round.kind === kind)
    const direct = mine.map((round) => round.direct[field] ?? 0)
    const edge = mine.map((round) => round.edge[field] ?? 0)
    const ratios = mine.map((_, at) => (edge[at] ?? 0) / (direct[at] ?? 0))
    const ratio = field === 'synRetransmits' ? '' : median(ratios).toFixed(2)
    const spread = ratios.map((each) => each.toFixed(2)).join(' ')
    const shown = [median(direct).toFixed(digits), median(edge).toFixed(digits)]
    return [name, ...shown, ratio, field === 'synRetransmits' ? '' : spread]
  })
  console.log(table([['', 'direct', 'edge', 'edge/direct', 'each round'], ...rows]))
}

/**
 * Throughput, latency and new connections per second through the userspace edge against a direct
 * connection to the same node port. Node, edge and client are three processes, so on two cores they
 * share: with the edge every byte crosses the kernel twice as often, which makes 0.5 the most to expect.
 */
export const benchEdge = async (args: readonly string[]): Promise<void> => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1.5' },
      policy: { type: 'string', default: 'Cluster' },
    },
  })
  const folder = await mkdtemp(join(tmpdir(), 'weir-bench-'))
  const children: ChildProcess[] = []
  try {
    children.push(
      await start('edge-node.ts', [node.host, String(node.port), String(healthPort)]),
      await startEdge(folder, values.policy),
    )
    const client = await start('edge-client.ts', [])
    children.push(client)
    console.log(
      `userspace edge, policy ${values.policy}, ${availableParallelism()} cores, ` +
        `${values.rounds} rounds of ${values.seconds} s, medians; ` +
        `load before: ${(loadavg()[0] ?? 0).toFixed(1)}`,
    )
    print(await runRounds(client, Number(values.rounds), Number(values.seconds)))
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}
