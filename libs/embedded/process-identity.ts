import { readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'

/** One process for as long as it lives: its id, and when it began, since ids are used again. */
export interface ProcessIdentity {
  readonly pid: number
  /** An opaque instant; two processes that share an id at different times differ in it. */
  readonly started: string
}

/**
 * The identity of a live process, or undefined when there is none. A zombie counts as gone: in a
 * container whose first process reaps nobody it would otherwise look alive for ever.
 */
export const identityOf = (pid: number): ProcessIdentity | undefined => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  const stat = readProc(pid, 'stat')
  if (stat === undefined) return process.platform === 'linux' ? undefined : askPs(pid)
  // The second field is the program's name in parentheses and may hold spaces: fields follow the last.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  const started = fields[19]
  if (state === 'Z' || state === 'X' || started === undefined) return undefined
  return { pid, started }
}

/** Whether that very process, not another under its number, is alive. */
export const isAlive = (identity: ProcessIdentity): boolean =>
  identityOf(identity.pid)?.started === identity.started

/** The words a process was started with, separated by spaces; empty when it is gone. */
export const commandLineOf = (pid: number): string => {
  const raw = readProc(pid, 'cmdline')
  if (raw !== undefined) return raw.replaceAll('\0', ' ').trim()
  return process.platform === 'linux' ? '' : ps(pid, 'command=')
}

const readProc = (pid: number, file: string): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return undefined
  }
}

const askPs = (pid: number): ProcessIdentity | undefined => {
  const started = ps(pid, 'lstart=')
  return started === '' ? undefined : { pid, started }
}

const ps = (pid: number, format: string): string => {
  const result = spawnSync('ps', ['-p', String(pid), '-o', format], { encoding: 'utf8' })
  return result.status === 0 ? result.stdout.trim() : ''
}
