import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { identityOf, isAlive, type ProcessIdentity } from '@weir/embedded'
import { CommandFailed } from '../exit.ts'

/** The record of the process that runs a platform in the folder. */
export const lockName = 'up.pid'

/**
 * Makes sure that one platform runs in a folder. Returns what gives the folder back. A record whose
 * process is gone is taken over.
 */
export const claimFolder = (folder: string): (() => Promise<void>) => {
  const path = join(folder, lockName)
  const holder = existsSync(path)
    ? (JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity)
    : undefined
  if (holder && holder.pid !== process.pid && isAlive(holder)) {
    throw new CommandFailed(
      'conflict',
      `a platform already runs in ${folder} (process ${holder.pid})`,
      'stop it with Ctrl-C, or use --state FOLDER',
    )
  }
  writeFileSync(path, JSON.stringify(identityOf(process.pid)))
  return async () => rmSync(path, { force: true })
}
