// The six services as child processes: which program, which variables, when they are ready.
import { join, resolve } from 'node:path'
import { freePort, startChild, type Child } from '@weir/embedded'
import { systemClock } from '@weir/kernel'
import { CommandFailed } from '../exit.ts'
import { keepRunning } from './keep-running.ts'
import type { Machine } from './segment.ts'

const root = resolve(import.meta.dirname, '../..')

export interface PlatformAddresses {
  readonly databaseUrl: string
  readonly natsUrl: string
  readonly apiPort: number
  readonly adminToken: string
  readonly masterKey: string
  /** Where the edge is, with what it reaches the bus by, when it is one in the kernel. */
  readonly kernelEdge?: { readonly machine: Machine; readonly natsUrl: string } | undefined
}

export interface ServicePart {
  readonly name: string
  readonly main: string
  readonly env: Readonly<Record<string, string>>
  /** Where it runs, when that is not here. */
  readonly machine?: Machine
}

/** Every service with what it reads from its environment, in the order they are started. */
export const serviceParts = (folder: string, at: PlatformAddresses): readonly ServicePart[] => {
  const { kernelEdge } = at
  const common = {
    NATS_URL: at.natsUrl,
    WEIR_INSTALLATION: 'local',
    WEIR_FLEET: 'local',
    ...(kernelEdge ? { WEIR_FLEET_DATA_PLANE: 'kernel' } : {}),
  }
  const withLog = { ...common, DATABASE_URL: at.databaseUrl }
  const part = (name: string, env: Record<string, string>): ServicePart => ({
    name,
    main: join(root, 'services', name, 'main.ts'),
    env,
  })
  return [
    {
      ...part('edge', {
        ...common,
        NATS_URL: kernelEdge?.natsUrl ?? at.natsUrl,
        WEIR_EDGE_ID: 'edge-1',
        WEIR_EDGE_STATE_DIR: join(folder, 'edge'),
      }),
      ...(kernelEdge ? { machine: kernelEdge.machine } : {}),
    },
    part('allocator', withLog),
    part('provisioner', { ...withLog, WEIR_MASTER_KEY: at.masterKey }),
    part('watcher', {
      ...withLog,
      WEIR_MASTER_KEY: at.masterKey,
      // The clusters of a platform on one machine are its user's own, here or near.
      WEIR_CLUSTER_NETWORKS: '127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16',
    }),
    part('gc', { ...withLog, WEIR_MASTER_KEY: at.masterKey }),
    part('api', {
      ...withLog,
      WEIR_MASTER_KEY: at.masterKey,
      WEIR_ADMIN_TOKEN: at.adminToken,
      WEIR_API_PORT: String(at.apiPort),
    }),
  ]
}

export interface RunningPart {
  readonly name: string
  stop(): Promise<void>
}

export interface Supervision {
  readonly folder: string
  readonly environment: Readonly<Record<string, string>>
  readonly onRestart: (name: string, how: string) => void
}

const readyDeadlineMs = 30_000

/** Starts a service, waits until it is ready, and starts it again whenever it ends by itself. */
export const superviseService = async (
  part: ServicePart,
  at: Supervision,
): Promise<RunningPart> => {
  const healthPort = await freePort()
  const healthHost = part.machine?.address ?? '127.0.0.1'
  const program = process.execPath
  const args = ['--disable-warning=ExperimentalWarning', part.main]
  const start = (): Promise<Child> =>
    startChild({
      name: part.name,
      runDir: join(at.folder, 'run'),
      ...(part.machine?.inside(program, args) ?? { program, args }),
      env: {
        ...at.environment,
        ...part.env,
        HEALTH_HOST: healthHost,
        HEALTH_PORT: String(healthPort),
      },
      stopSignal: 'SIGTERM',
    })
  const kept = await keepRunning({ name: part.name, start, onRestart: at.onRestart })
  try {
    await untilReady(part.name, kept.first, `http://${healthHost}:${healthPort}/readyz`)
  } catch (error) {
    await kept.stop()
    throw error
  }
  return { name: part.name, stop: () => kept.stop() }
}

const untilReady = async (name: string, child: Child, url: string): Promise<void> => {
  const deadline = systemClock.now() + readyDeadlineMs
  while (systemClock.now() < deadline && child.how() === undefined) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    await systemClock.sleep(20)
  }
  const ended = child.how()
  const what =
    ended === undefined ? `did not become ready in ${readyDeadlineMs / 1000} s` : `ended (${ended})`
  throw new CommandFailed(
    'failed',
    `${name} ${what}: ${child.lastWords().trim().split('\n').at(-1) ?? ''}`,
  )
}
