// What a platform on this machine keeps between starts: its secrets and its ports, in `.weir/`, 0600.
import { randomBytes, randomInt } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { assertPortFree, freePort } from '@weir/embedded'
import { z } from 'zod'
import { CommandFailed } from '../exit.ts'
import { lockName } from './folder-lock.ts'

const kind = z.enum(['simulated', 'kubernetes'])

const platformState = z.object({
  /** Base64 of 32 bytes; seals cluster credentials in the database. */
  masterKey: z.string(),
  /** The operator's token for the API. */
  adminToken: z.string(),
  /** What moves the packets; addresses of one are of no use to the other. */
  dataPlane: z.enum(['userspace', 'kernel']).default('userspace'),
  /** Which minicluster the objects of the last start are in. */
  cluster: kind.optional(),
  ports: z.object({ api: z.int(), postgres: z.int(), nats: z.int(), cluster: z.int() }),
  /** Tells platforms on one machine apart: nodes are on 127.(64+n).0.x, addresses on 127.(128+n).x.x. */
  network: z.int().min(0).max(63),
})
export type PlatformState = z.infer<typeof platformState>

const apiPort = 7080

/** Makes the folder, and says what to do when that can't be. */
export const openFolder = (path: string): string => {
  const folder = resolve(path)
  try {
    mkdirSync(folder, { recursive: true })
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    const parent = dirname(folder)
    const why = cause instanceof Error ? cause.message : 'unknown reason'
    throw new CommandFailed(
      'failed',
      `cannot write to ${folder}: ${why}`,
      `make ${parent} writable, or use --state FOLDER`,
    )
  }
  return folder
}

/** Forgets what was there, except who holds the folder: only the holder may empty it. */
export const emptyFolder = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    if (name !== lockName) rmSync(join(folder, name), { recursive: true, force: true })
  }
}

/**
 * Reads the state, or makes it on the first start. `wantedApiPort` moves the API there from now on.
 * @throws CommandFailed when it is no port, or when the state is of another data plane than `wanted`
 */
export const openState = async (
  folder: string,
  wantedApiPort?: string,
  wanted?: PlatformState['dataPlane'],
): Promise<PlatformState> => {
  const path = join(folder, 'platform.json')
  const known = existsSync(path)
    ? platformState.parse(JSON.parse(readFileSync(path, 'utf8')))
    : await newState(wanted ?? 'userspace')
  if (wanted !== undefined && wanted !== known.dataPlane) {
    throw new CommandFailed(
      'conflict',
      `the platform in ${folder} has the ${known.dataPlane} data plane, and its addresses are of that`,
      'start empty with --fresh, or use --state FOLDER',
    )
  }
  const api = wantedApiPort === undefined ? known.ports.api : portOf(wantedApiPort)
  const state = { ...known, ports: { ...known.ports, api } }
  writeSecret(path, state)
  return state
}

const portOf = (text: string): number => {
  if (/^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536) return Number(text)
  throw new CommandFailed('usage', `--api-port ${text} is not a port; use a number from 1 to 65535`)
}

const newState = async (dataPlane: PlatformState['dataPlane']): Promise<PlatformState> => ({
  dataPlane,
  masterKey: randomBytes(32).toString('base64'),
  adminToken: `weir_operator_${randomBytes(32).toString('base64url')}`,
  network: await quietNetwork(),
  ports: {
    api: (await isFree(apiPort)) ? apiPort : await freePort(),
    postgres: await freePort(),
    nats: await freePort(),
    cluster: await freePort(),
  },
})

/** A network on which no other platform's first node answers. */
const quietNetwork = async (): Promise<number> => {
  for (let tries = 0; tries < 16; tries += 1) {
    const network = randomInt(64)
    if (await nobodyAnswers(`127.${64 + network}.0.1`, kubeProxyHealthPort)) return network
  }
  throw new CommandFailed('failed', 'other platforms use every network tried', 'stop some of them')
}

const kubeProxyHealthPort = 10_256

const nobodyAnswers = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
    socket.once('connect', () => socket.destroy())
  })

const isFree = async (port: number): Promise<boolean> =>
  assertPortFree(port, 'the API').then(
    () => true,
    () => false,
  )

/** Writes state that only this user may read, whole or not at all. */
export const writeSecret = (path: string, value: unknown): void => {
  writeFileSync(`${path}.new`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(`${path}.new`, path)
}

export const saveState = (folder: string, state: PlatformState): void =>
  writeSecret(join(folder, 'platform.json'), state)
