// Where the platform is and who we are there: flags, then the environment, then `.weir/weir.json`.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readEnvironment } from '@weir/runtime/env'
import { z } from 'zod'
import { CommandFailed } from './exit.ts'

/** What `weir up` leaves for the other commands. Kept 0600: it holds the operator's token. */
export const platformFile = z.object({
  api: z.url(),
  token: z.string(),
  tenant: z.string(),
  cluster: z.string(),
  kubeconfig: z.string(),
  pid: z.int(),
})
export type PlatformFile = z.infer<typeof platformFile>

export interface Session {
  readonly api: string
  readonly token: string
  readonly tenant: string
}

export interface SessionFlags {
  readonly api?: string
  readonly token?: string
  readonly tenant?: string
}

/** `.weir/weir.json` of this folder or the nearest one above. */
export const findPlatform = (from = process.cwd()): PlatformFile | undefined => {
  for (let at = resolve(from); ; at = dirname(at)) {
    const path = join(at, '.weir', 'weir.json')
    if (existsSync(path)) return platformFile.parse(JSON.parse(readFileSync(path, 'utf8')))
    if (at === dirname(at)) return undefined
  }
}

/** @throws CommandFailed when nothing says where the platform is */
export const openSession = (flags: SessionFlags): Session => {
  const env = readEnvironment()
  const file = findPlatform()
  const api = flags.api ?? env['WEIR_API'] ?? file?.api
  const token = flags.token ?? env['WEIR_TOKEN'] ?? file?.token
  const tenant = flags.tenant ?? env['WEIR_TENANT'] ?? file?.tenant
  if (api === undefined || token === undefined || tenant === undefined) {
    throw new CommandFailed(
      'unreachable',
      'no platform is known here',
      'start one with "npm start", or set WEIR_API, WEIR_TOKEN and WEIR_TENANT',
    )
  }
  return { api, token, tenant }
}
