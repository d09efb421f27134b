import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { OperatingError } from '@weir/kernel'

/** The account a server runs as where root may not. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** Whether it is of a user namespace below ours, made for it, in which what is root's here is its own. */
  readonly below?: true
}

/**
 * Who PostgreSQL runs as. It refuses root, so root lends it the account `postgres`, or `nobody`; an
 * ordinary user keeps their own (undefined). Root of a user namespace that has no other users (`unshare -Ur`)
 * makes one below.
 */
export const unprivilegedAccount = (): Account | undefined => {
  if (process.getuid?.() !== 0) return undefined
  if (isAlone()) return { name: 'nobody', uid: 65_534, gid: 65_534, below: true }
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n').map(parseAccount)
  const found = ['postgres', 'nobody']
    .map((name) => accounts.find((account) => account?.name === name))
    .find((account) => account !== undefined && account.uid !== 0)
  if (found !== undefined) return found
  throw new OperatingError(
    'PostgreSQL refuses to run as root and this machine has neither a user postgres nor nobody; ' +
      'run weir as an ordinary user, or set DATABASE_URL to a server of your own',
  )
}

/** Whether this user namespace has root and nobody else. */
const isAlone = (): boolean => {
  if (process.platform !== 'linux') return false
  const counts = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n').map(countOf)
  return counts.reduce((sum, count) => sum + count, 0) === 1
}

/** Each line says the first user here, the first outside, and how many. */
const countOf = (line: string): number => Number(line.trim().split(/\s+/).at(-1))

const parseAccount = (line: string): Account | undefined => {
  const [name, , uid, gid] = line.split(':')
  if (name === undefined || uid === undefined || gid === undefined) return undefined
  return { name, uid: Number(uid), gid: Number(gid) }
}

export interface LaunchPlan {
  readonly program: string
  readonly args: readonly string[]
  readonly uid?: number
  readonly gid?: number
}

export interface LaunchWishes {
  readonly account?: Account | undefined
  /** Every path the account must reach; a folder that only root may enter asks for a capability. */
  readonly reaches: readonly string[]
  /** Sent to the process by the kernel when this process dies, however it dies. */
  readonly deathSignal?: NodeJS.Signals | undefined
}

/**
 * The command line that runs `program` as another account, and lets it die with us, by `setpriv`
 * where there is one (every Linux has it in util-linux). A checkout below `/root` is closed to the
 * account: it then keeps the one capability to pass closed folders, and nothing else of root's.
 */
export const planLaunch = (
  program: string,
  args: readonly string[],
  wishes: LaunchWishes,
): LaunchPlan => {
  const { account, deathSignal } = wishes
  const setpriv = setprivPath()
  if (account?.below === true) {
    const { uid, gid } = account
    const inside = planLaunch(program, args, { reaches: [], deathSignal })
    const flags = [`--map-user=${uid}`, `--map-group=${gid}`]
    return { program: 'unshare', args: [...flags, '--', inside.program, ...inside.args] }
  }
  const closed = account === undefined ? undefined : wishes.reaches.find((path) => !isOpen(path))
  if (setpriv === undefined) return withoutSetpriv(program, args, { account, closed })
  const flags = deathSignal === undefined ? [] : ['--pdeathsig', deathSignal.slice(3)]
  if (account !== undefined) {
    flags.push(`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups')
    const kept = closed === undefined ? '-all' : '-all,+dac_override'
    flags.push(`--inh-caps=${kept}`, `--ambient-caps=${kept}`)
  }
  if (flags.length === 0) return { program, args }
  return { program: setpriv, args: [...flags, '--', program, ...args] }
}

const withoutSetpriv = (
  program: string,
  args: readonly string[],
  { account, closed }: { account: Account | undefined; closed: string | undefined },
): LaunchPlan => {
  if (account === undefined) return { program, args }
  if (closed === undefined) return { program, args, uid: account.uid, gid: account.gid }
  throw new OperatingError(
    `${closed} is closed to the user ${account.name}, and setpriv is missing; ` +
      'install util-linux, or move the checkout to a folder that everyone may enter',
  )
}

const setprivPath = (): string | undefined =>
  ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => {
    try {
      accessSync(path, constants.X_OK)
      // BusyBox has one by that name which lacks what we need.
      return basename(realpathSync(path)) === 'setpriv'
    } catch {
      return false
    }
  })

/** Whether everybody may pass every folder above `path`. */
const isOpen = (path: string): boolean => {
  for (let at = dirname(resolve(path)); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}
