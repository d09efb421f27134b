import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

const PAUSE_MS = 100
const PATIENCE_MS = 15 * 60_000

/**
 * Takes `file` as a lock between processes, waiting for a live holder, and returns what releases it. The
 * file holds its holder's process id; one whose holder is dead is taken over.
 */
export const holdLock = (file, onWait) => {
  const mine = String(process.pid)
  for (let waited = 0; !tryTake(file, mine);) {
    const holder = read(file)
    if (holder !== undefined && !isAlive(Number(holder))) {
      takeAway(file, holder)
      continue
    }
    if (waited === 0) onWait(holder)
    if (waited > PATIENCE_MS)
      throw new Error(`process ${holder} holds ${file} for too long; remove it`)
    waited += PAUSE_MS
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
  }
  return () => {
    if (read(file) === mine) rmSync(file, { force: true })
  }
}

/** The file appears with its words in it or not at all. */
const tryTake = (file, mine) => {
  const draft = `${file}.${mine}.new`
  writeFileSync(draft, mine)
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Moves a dead lock aside; if another was quicker and it is that one's live lock, puts it back. */
const takeAway = (file, seen) => {
  const aside = `${file}.${process.pid}.dead`
  try {
    renameSync(file, aside)
    if (read(aside) !== seen) linkSync(aside, file)
  } catch {
    // Another process took it away first: the next try tells.
  } finally {
    rmSync(aside, { force: true })
  }
}

const read = (file) => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
