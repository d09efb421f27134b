// Decides what becomes of whatever is PENDING: finds it in Octavia's database by reading, and says what it is
// to be through the driver agent's status socket, as a provider does.
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createConnection } from 'node:net'
import { createInterface } from 'node:readline'
import { OperatingError } from '@weir/kernel'

/** What becomes of a PENDING load balancer. */
export type Fate = 'finish' | 'fail' | 'never'

export interface Flipper {
  /** Decides everything that is PENDING in a project now, or in all; gives the number of things told. */
  flip(options?: { readonly project?: string; readonly fateOf?: FateOf }): Promise<number>
  /** Says what a load balancer is to be. */
  say(status: StatusUpdate): Promise<void>
  stop(): void
}

/** Asked once for each load balancer that is PENDING. */
export type FateOf = (pending: Pending) => Fate

export interface Pending {
  readonly id: string
  readonly name: string
  readonly status: string
}

type Kind = 'loadbalancers' | 'listeners' | 'pools' | 'members' | 'healthmonitors'
export type StatusUpdate = Partial<
  Record<
    Kind,
    readonly {
      readonly id: string
      readonly provisioning_status?: string
      readonly operating_status?: string
    }[]
  >
>

interface Row {
  readonly kind: Kind
  readonly id: string
  readonly status: string
  readonly balancer: string
  readonly name: string
}

export const createFlipper = (statusSocket: string, databaseSocket: string): Flipper => {
  const database = createDatabase(databaseSocket)
  const say = (status: StatusUpdate): Promise<void> => tell(statusSocket, status)
  return {
    say,
    stop: () => database.stop(),
    flip: oneAtATime(async ({ project, fateOf = allFinish } = {}) => {
      const rows = (await database.ask(pendingQuery(project))).map(toRow)
      const fates = new Map<string, Decided>(
        rows
          .filter(({ kind }) => kind === 'loadbalancers')
          .map((row) => [row.id, { fate: fateOf(row), leaves: row.status === 'PENDING_DELETE' }]),
      )
      const update: Record<
        Kind,
        { id: string; provisioning_status: string; operating_status: string }[]
      > = { loadbalancers: [], listeners: [], pools: [], members: [], healthmonitors: [] }
      for (const row of rows) {
        const decided = fates.get(row.balancer) ?? noFate
        if (decided.fate === 'never') continue
        update[row.kind].push({ id: row.id, ...becomes(row, decided) })
      }
      const count = Object.values(update).flat().length
      if (count > 0) await say(update)
      return count
    }),
  }
}

/** Two who find the same thing PENDING would tell it twice, and what is deleted cannot be told again. */
const oneAtATime = (flip: Flipper['flip']): Flipper['flip'] => {
  const last = new Map<string, Promise<unknown>>()
  return (options = {}) => {
    const project = options.project ?? ''
    const before = last.get(project) ?? Promise.resolve()
    const mine = before.then(() => flip(options))
    last.set(
      project,
      mine.catch(() => undefined),
    )
    return mine
  }
}

const allFinish: FateOf = () => 'finish'

/** What becomes of a load balancer, and so of its parts. */
interface Decided {
  readonly fate: Fate
  readonly leaves: boolean
}

/** For a part whose load balancer is not PENDING itself. */
const noFate: Decided = { fate: 'finish', leaves: false }

const becomes = ({ status }: Row, { fate, leaves }: Decided) => {
  if (fate === 'fail') return { provisioning_status: 'ERROR', operating_status: 'ERROR' }
  const goes = status === 'PENDING_DELETE' || leaves
  if (goes) return { provisioning_status: 'DELETED', operating_status: 'OFFLINE' }
  return { provisioning_status: 'ACTIVE', operating_status: 'ONLINE' }
}

const toRow = ([kind, id, status, balancer, name]: readonly string[]): Row => ({
  kind: kind as Kind,
  id: id ?? '',
  status: status ?? '',
  balancer: balancer ?? '',
  name: name ?? '',
})

/** Everything PENDING, and with a load balancer that goes all of its parts. */
const pendingQuery = (project: string | undefined): string => {
  const where =
    project === undefined ? '' : ` AND l.project_id = '${project.replaceAll(/\W/g, '')}'`
  const part = (kind: Kind, table: string, join: string): string =>
    `SELECT '${kind}', t.id, t.provisioning_status, l.id, '' FROM ${table} t ${join} ` +
    `WHERE (t.provisioning_status LIKE 'PENDING%' OR l.provisioning_status = 'PENDING_DELETE')${where}`
  return [
    "SELECT 'loadbalancers', l.id, l.provisioning_status, l.id, COALESCE(l.name, '') " +
      `FROM load_balancer l WHERE l.provisioning_status LIKE 'PENDING%'${where}`,
    part('listeners', 'listener', 'JOIN load_balancer l ON l.id = t.load_balancer_id'),
    part('pools', 'pool', 'JOIN load_balancer l ON l.id = t.load_balancer_id'),
    part(
      'members',
      'member',
      'JOIN pool p ON p.id = t.pool_id JOIN load_balancer l ON l.id = p.load_balancer_id',
    ),
    part(
      'healthmonitors',
      'health_monitor',
      'JOIN pool p ON p.id = t.pool_id JOIN load_balancer l ON l.id = p.load_balancer_id',
    ),
  ].join(' UNION ALL ')
}

/** One mariadb client that stays, so that a question takes a millisecond. Questions only. */
const createDatabase = (socket: string) => {
  const child: ChildProcessWithoutNullStreams = spawn(
    '/usr/bin/mariadb',
    ['--no-defaults', '--batch', '--raw', '--skip-column-names', '--unbuffered', '--force'].concat([
      '--user=root',
      `--socket=${socket}`,
      'octavia',
    ]),
    { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' } },
  )
  const endOfAnswer = '--end--'
  let words = ''
  let rows: string[][] = []
  const waiting: {
    readonly done: (rows: string[][]) => void
    readonly failed: (e: Error) => void
  }[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line !== endOfAnswer) {
      rows.push(line.split('\t'))
      return
    }
    const answered = rows
    rows = []
    waiting.shift()?.done(answered)
  })
  child.stderr.on('data', (text: Buffer) => (words += text.toString()))
  child.on('exit', () => {
    for (const { failed } of waiting.splice(0))
      failed(new OperatingError(`mariadb ended: ${words}`))
  })
  return {
    ask: (sql: string): Promise<string[][]> =>
      new Promise((done, failed) => {
        waiting.push({ done, failed })
        child.stdin.write(`SET TRANSACTION READ ONLY; ${sql}; SELECT '${endOfAnswer}';\n`)
      }),
    stop: () => {
      child.stdin.end()
    },
  }
}

/** `LENGTH\nJSON` both ways. */
const tell = (socket: string, status: StatusUpdate): Promise<void> =>
  new Promise((resolve, reject) => {
    const text = JSON.stringify(status)
    let answer = ''
    const connection = createConnection(socket, () =>
      connection.write(`${Buffer.byteLength(text)}\n${text}`),
    )
    connection.on('data', (data) => {
      answer += data.toString()
      // The answer is all there is; the agent's child takes its time to end.
      if (answer.endsWith('}')) connection.destroy()
    })
    connection.on('error', reject)
    connection.on('close', () => {
      if (answer.includes('"status_code": 200')) resolve()
      else reject(new OperatingError(`the driver agent refuses ${text.slice(0, 300)}: ${answer}`))
    })
  })
