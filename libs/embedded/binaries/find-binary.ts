import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { BINARIES, GO_PROGRAM, type BinaryName } from './catalog.ts'
import { goSourceHash } from './go-build.ts'

/** Environment variables as a record: only the caller reads the real ones. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface FindOptions {
  readonly env: Environment
  /** The folder of the Kubernetes program's Go source, for the programs that are built from it. */
  readonly goSourceDir?: string
  readonly onProgress?: (line: string) => void
}

/**
 * Where a program is on this machine: the file a variable names, then PATH, then our cache.
 * Undefined when it is nowhere; nothing is downloaded or built.
 *
 * @throws OperatingError when the variable names a file that cannot be run.
 */
export const findBinary = (name: BinaryName, options: FindOptions): string | undefined => {
  const { variable } = BINARIES[name]
  const named = options.env[variable]
  if (named !== undefined && named !== '') {
    if (isProgram(named)) return named
    throw new OperatingError(`${variable}=${named} is not a program that can be run; correct it`)
  }
  return findOnPath(name, options) ?? cachedPlaces(name, options).find(isProgram)
}

/** Where `obtainBinary` puts a program that it downloaded. */
export const releaseFolder = (name: BinaryName, env: Environment): string =>
  join(cacheFolder(env), `${name}-${BINARIES[name].version}`)

/** Where `obtainBinary` puts the Kubernetes programs that it built. */
export const goFolder = (goSourceDir: string, env: Environment): string =>
  join(cacheFolder(env), `kubernetes-${GO_PROGRAM.version}-${goSourceHash(goSourceDir)}`)

/** `~/.cache/weir/bin`, or below `XDG_CACHE_HOME`. */
export const cacheFolder = (env: Environment): string => {
  const base = env.XDG_CACHE_HOME
  const cache = base === undefined || base === '' ? join(env.HOME ?? homedir(), '.cache') : base
  return join(cache, 'weir', 'bin')
}

const cachedPlaces = (name: BinaryName, { env, goSourceDir }: FindOptions): string[] => {
  const places = [join(releaseFolder(name, env), name)]
  if (BINARIES[name].fallback === 'go' && goSourceDir !== undefined) {
    places.push(join(goFolder(goSourceDir, env), name))
  }
  return places
}

const findOnPath = (name: BinaryName, { env, onProgress }: FindOptions): string | undefined => {
  const { atLeast, version } = BINARIES[name]
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const found = folders.map((folder) => join(folder, name)).find(isProgram)
  if (found === undefined || atLeast === undefined) return found
  const has = versionOf(found)
  if (has !== undefined && !isOlder(has, atLeast)) return found
  onProgress?.(`${name}: ${found} is ${has ?? 'of no known version'}, using ${version} instead`)
  return undefined
}

const versionOf = (program: string): string | undefined => {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 5_000 })
  return /\d+\.\d+\.\d+/.exec(stdout ?? '')?.[0]
}

const isOlder = (version: string, floor: string): boolean => {
  const [have, want] = [version, floor].map((text) => text.split('.').map(Number))
  const at = want?.findIndex((part, index) => part !== have?.[index]) ?? -1
  return at !== -1 && (have?.[at] ?? 0) < (want?.[at] ?? 0)
}

const isProgram = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
