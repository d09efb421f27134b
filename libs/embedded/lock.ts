import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { OperatingError, systemClock } from '@weir/kernel'
import { identityOf, isAlive, type ProcessIdentity } from './process-identity.ts'

export interface LockOptions {
  /** Called once with the holder's process id when the lock is not free at once. */
  readonly onWait?: (holder: number) => void
  /** How long to wait for a live holder before giving up, in milliseconds. */
  readonly deadlineMs: number
}

/**
 * Runs `task` while holding `file`, a lock between processes of one machine. The file names its
 * holder; one whose holder is dead is taken over, so a crash never locks anybody out.
 */
export const withLock = async <T>(
  file: string,
  options: LockOptions,
  task: () => Promise<T>,
): Promise<T> => {
  mkdirSync(dirname(file), { recursive: true })
  const mine = JSON.stringify(identityOf(process.pid))
  const end = systemClock.now() + options.deadlineMs
  for (let waited = false; !tryTake(file, mine);) {
    const seen = read(file)
    const holder = parse(seen)
    if (seen !== undefined && (holder === undefined || !isAlive(holder))) {
      takeAway(file, seen)
      continue
    }
    if (!waited && holder !== undefined) options.onWait?.(holder.pid)
    waited = true
    if (systemClock.now() > end) {
      throw new OperatingError(
        `process ${holder?.pid ?? '?'} holds ${file} for too long; end that process and try again`,
      )
    }
    await systemClock.sleep(100)
  }
  try {
    return await task()
  } finally {
    if (read(file) === mine) rmSync(file, { force: true })
  }
}

/** The file appears with its words in it or not at all: a reader never sees a half-written holder. */
const tryTake = (file: string, mine: string): boolean => {
  const draft = `${file}.${process.pid}.new`
  const fd = openSync(draft, 'w', 0o600)
  writeSync(fd, mine)
  closeSync(fd)
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * Removes a dead holder's lock. Two processes may find the same dead lock; the slower one may then
 * move the faster one's live lock aside, sees that by its words, and puts it back.
 */
const takeAway = (file: string, seen: string): void => {
  const aside = `${file}.${process.pid}.dead`
  try {
    renameSync(file, aside)
    if (read(aside) !== seen) linkSync(aside, file)
  } catch {
    // Somebody else took it away, or already holds it: the next try to take it tells.
  } finally {
    rmSync(aside, { force: true })
  }
}

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const parse = (words: string | undefined): ProcessIdentity | undefined => {
  try {
    const value: unknown = JSON.parse(words ?? '')
    if (typeof value !== 'object' || value === null) return undefined
    if (!('pid' in value) || typeof value.pid !== 'number') return undefined
    if (!('started' in value) || typeof value.started !== 'string') return undefined
    return { pid: value.pid, started: value.started }
  } catch {
    return undefined
  }
}
