import { homedir, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { BINARIES, findBinary } from '@weir/embedded'
import { goSourceDir } from '@weir/minicluster'

/**
 * What a child may see of our environment: where programs are, and nothing that leads to another
 * platform, cluster or home.
 */
export const childEnvironment = (home: string): Record<string, string> => {
  const { env } = process
  const programs = Object.values(BINARIES).flatMap(({ variable }) => {
    const value = env[variable]
    return value === undefined ? [] : [[variable, value] as const]
  })
  return {
    ...Object.fromEntries(programs),
    PATH: [dirname(process.execPath), env.PATH ?? '/usr/bin:/bin'].join(delimiter),
    HOME: home,
    // The programs that this machine has built or loaded once are used again.
    XDG_CACHE_HOME: env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'),
    // Else every new folder compiles everything again, which takes longer than most tests.
    NODE_COMPILE_CACHE: join(tmpdir(), 'weir-e2e-compile-cache'),
    LC_ALL: 'C',
  }
}

/** The stock kubectl of this machine, or the one that was built with the Kubernetes programs. */
export const findKubectl = (): string => {
  const found = findBinary('kubectl', { env: process.env, goSourceDir })
  if (found !== undefined) return found
  throw new Error('the end-to-end tests need kubectl: put it on PATH, or run "npm run binaries"')
}
