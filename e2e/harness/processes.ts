import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { isAlive, identityOf, type ProcessIdentity } from '@weir/embedded'

const quietly = (read: () => string): string => {
  try {
    return read()
  } catch {
    return ''
  }
}

/** A process by its id and the words it was started with. */
export interface Seen {
  readonly pid: number
  readonly command: string
}

/** Every live process that was started for `folder`: it is on its command line or its working folder. */
export const processesOf = (folder: string): Seen[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({
      pid: Number(name),
      command: quietly(() => readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')),
      cwd: quietly(() => readlinkSync(`/proc/${name}/cwd`)),
    }))
    .filter(({ command, cwd }) => command.includes(folder) || cwd.startsWith(folder))
    .filter(({ pid }) => identityOf(pid) !== undefined)
    .map(({ pid, command }) => ({ pid, command }))

/** The process that a pid file of the platform names, if it is alive. */
export const processIn = (pidFile: string): ProcessIdentity | undefined => {
  const text = quietly(() => readFileSync(pidFile, 'utf8'))
  const record = parsed(text)
  return record !== undefined && isAlive(record) ? record : undefined
}

const parsed = (text: string): ProcessIdentity | undefined => {
  try {
    return JSON.parse(text) as ProcessIdentity
  } catch {
    return undefined
  }
}

/** A variable of a running process. */
export const variableOf = (pid: number, name: string): string | undefined =>
  quietly(() => readFileSync(`/proc/${pid}/environ`, 'utf8'))
    .split('\0')
    .find((entry) => entry.startsWith(`${name}=`))
    ?.slice(name.length + 1)
