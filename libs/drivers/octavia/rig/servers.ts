// A real octavia-api with its database and driver agent, as child processes in one temporary folder:
// Debian's packages octavia-api, octavia-driver-agent and mariadb-server. No Keystone (`noauth`), no Neutron
// (`network_noop_driver`), and a provider that does nothing by itself (`noop_driver`): what is PENDING stays
// so until the flipper says otherwise.
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freePort, startChild, waitUntil, type Child, type ChildOptions } from '@weir/embedded'
import { OperatingError } from '@weir/kernel'
import { Agent, request } from 'undici'

const run = promisify(execFile)

const programs = {
  mariadbd: '/usr/sbin/mariadbd',
  installDb: '/usr/bin/mariadb-install-db',
  migrate: '/usr/bin/octavia-db-manage',
  api: '/usr/bin/octavia-api',
  agent: '/usr/bin/octavia-driver-agent',
  client: '/usr/bin/mariadb',
} as const

/** What a machine must have, and how it gets it; null when all is there. */
export const missingPrograms = (): string | null => {
  const missing = Object.values(programs).filter((path) => !existsSync(path))
  if (missing.length === 0) return null
  return (
    `${missing.join(', ')} missing: apt-get install --no-install-recommends ` +
    'octavia-api octavia-driver-agent mariadb-server'
  )
}

export interface OctaviaServers {
  /** Endpoints of octavia-api, without `/v2`: two processes on one database, for each answers one call at a time. */
  readonly endpoints: readonly [string, ...string[]]
  readonly statusSocket: string
  readonly databaseSocket: string
  /** Ends all children and removes the folder; may be called twice. */
  stop(): Promise<void>
}

/** Starts the three servers; about ten seconds, most of it Python's imports and the migrations. */
export const startOctavia = async (): Promise<OctaviaServers> => {
  const missing = missingPrograms()
  if (missing !== null) throw new OperatingError(`cannot start octavia-api: ${missing}`)
  const folder = mkdtempSync(join(tmpdir(), 'weir-octavia-'))
  const children: Child[] = []
  const start = async (options: Pick<ChildOptions, 'name' | 'program' | 'args'>) => {
    const child = await startChild({ ...options, runDir: folder, stopSignal: 'SIGTERM' })
    children.push(child)
    return child
  }
  const stop = async (): Promise<void> => {
    await Promise.all(children.splice(0).map((child) => child.stop(3000)))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const ports = [await freePort(), await freePort()]
    const configs = ports.map((port) => writeConfig(folder, port))
    const [config = ''] = configs
    await startDatabase(folder, start)
    await run(programs.migrate, ['--config-file', config, 'upgrade', 'head'])
    const agent = await start({
      name: 'octavia-driver-agent',
      program: programs.agent,
      args: ['--config-file', config],
    })
    const apis = await Promise.all(
      configs.map((of, index) =>
        start({
          name: `octavia-api-${index}`,
          program: programs.api,
          args: ['--config-file', of],
        }),
      ),
    )
    const endpoints = ports.map((port) => `http://127.0.0.1:${port}`)
    const statusSocket = join(folder, 'status.sock')
    for (const [index, api] of apis.entries()) {
      await ready(api, () => answers(endpoints[index] ?? ''))
    }
    await ready(agent, () => existsSync(statusSocket))
    const [endpoint = '', ...others] = endpoints
    return {
      endpoints: [endpoint, ...others],
      statusSocket,
      databaseSocket: databaseSocket(folder),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

const startDatabase = async (
  folder: string,
  start: (options: Pick<ChildOptions, 'name' | 'program' | 'args'>) => Promise<Child>,
): Promise<void> => {
  const data = join(folder, 'maria')
  mkdirSync(data, { mode: 0o700 })
  // MariaDB refuses to run as root unless it is told so.
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : []
  await run(programs.installDb, [
    '--no-defaults',
    ...asRoot,
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
  ])
  const socket = databaseSocket(folder)
  const bootstrap = join(folder, 'init.sql')
  writeFileSync(bootstrap, 'CREATE DATABASE IF NOT EXISTS octavia;\n')
  const database = await start({
    name: 'mariadbd',
    program: programs.mariadbd,
    args: [
      '--no-defaults',
      ...asRoot,
      `--datadir=${data}`,
      `--socket=${socket}`,
      `--pid-file=${join(folder, 'maria.pid')}`,
      `--init-file=${bootstrap}`,
      '--skip-networking',
      '--innodb-buffer-pool-size=64M',
      '--innodb-flush-log-at-trx-commit=0',
      '--innodb-doublewrite=0',
      '--sync-binlog=0',
    ],
  })
  await ready(database, () => existsSync(socket))
}

/** A socket of the database's own in the folder, so that no port is needed and nobody else gets in. */
const databaseSocket = (folder: string): string => join(folder, 'maria.sock')

const writeConfig = (folder: string, port: number): string => {
  const at = (name: string): string => join(folder, name)
  const path = at(`octavia-${port}.conf`)
  const database = `mysql+pymysql://root@localhost/octavia?unix_socket=${databaseSocket(folder)}`
  writeFileSync(
    path,
    `[DEFAULT]
transport_url = fake://
[api_settings]
bind_host = 127.0.0.1
bind_port = ${port}
auth_strategy = noauth
enabled_provider_drivers = noop_driver:noop, octavia:octavia
default_provider_driver = noop_driver
[database]
connection = ${database}
[driver_agent]
status_socket_path = ${at('status.sock')}
stats_socket_path = ${at('stats.sock')}
get_socket_path = ${at('get.sock')}
[controller_worker]
network_driver = network_noop_driver
compute_driver = compute_noop_driver
amphora_driver = amphora_noop_driver
`,
  )
  return path
}

const startMs = 60_000

const ready = async (child: Child, check: () => boolean | Promise<boolean>): Promise<void> => {
  const up = await waitUntil(async () => child.how() !== undefined || (await check()), startMs)
  if (up && child.how() === undefined) return
  throw new OperatingError(
    `${child.name} does not start: ${child.how() ?? ''} ${child.lastWords()}`,
  )
}

const answers = async (endpoint: string): Promise<boolean> => {
  const agent = new Agent()
  try {
    const { statusCode, body } = await request(`${endpoint}/`, { dispatcher: agent })
    await body.dump()
    return statusCode === 200
  } catch {
    return false
  } finally {
    await agent.close()
  }
}
