import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { WORK_FOLDER, type Release } from './catalog.ts'
import { runTool } from './run-tool.ts'

/** The machine in Go's words, in which every release of ours is named. */
export const goPlatform = (): { os: string; arch: string } => ({
  os: process.platform === 'win32' ? 'windows' : process.platform,
  arch: process.arch === 'x64' ? 'amd64' : process.arch,
})

export type Fetch = (url: string, init: { signal: AbortSignal }) => Promise<Response>

// A machine without a way out must learn so in seconds: other sources are waiting.
const ANSWER_DEADLINE_MS = 5_000
const TRANSFER_DEADLINE_MS = 600_000

/**
 * Downloads a release, compares it with its published SHA-256 and leaves the program in
 * `folder/NAME`, ready to run.
 */
export const downloadRelease = async (
  name: string,
  release: Release,
  { folder, fetch }: { readonly folder: string; readonly fetch: Fetch },
): Promise<void> => {
  const file = basename(new URL(release.url).pathname)
  const sums = (await get(release.checksumUrl, fetch)).toString('utf8')
  const expected = checksumOf(file, sums)
  const bytes = await get(release.url, fetch)
  const actual = createHash('sha256').update(bytes).digest('hex')
  if (actual !== expected) {
    throw new OperatingError(
      `${release.url} has SHA-256 ${actual}, not ${expected} as published; it was not used`,
    )
  }
  const work = join(folder, WORK_FOLDER)
  mkdirSync(work, { recursive: true })
  const target = join(folder, name)
  if (file.endsWith('.tar.gz')) {
    const archive = join(work, file)
    writeFileSync(archive, bytes)
    await runTool('tar', ['-xzf', archive, '-C', work], {
      cwd: work,
      env: { PATH: '/usr/bin:/bin' },
    })
    copyFileSync(join(work, onlyProgram(work, name)), target)
  } else writeFileSync(target, bytes)
  chmodSync(target, 0o755)
}

/** `HASH  FILE` lines as `sha256sum` writes them, or one hash alone. */
const checksumOf = (file: string, sums: string): string => {
  const lines = sums.trim().split('\n')
  for (const line of lines) {
    const [hash, named] = line.trim().split(/\s+\*?/)
    const isIt = named === file || (named === undefined && lines.length === 1)
    if (isIt && hash !== undefined && /^[0-9a-f]{64}$/.test(hash)) return hash
  }
  throw new OperatingError(`no SHA-256 of ${file} is published beside it; it was not used`)
}

const onlyProgram = (folder: string, name: string): string => {
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find(
    (path) => basename(path) === name,
  )
  if (found !== undefined) return found
  throw new OperatingError(`the release archive holds no ${name}`)
}

const get = async (url: string, fetch: Fetch): Promise<Buffer> => {
  const controller = new AbortController()
  const answer = setTimeout(() => controller.abort(), ANSWER_DEADLINE_MS)
  const whole = setTimeout(() => controller.abort(), TRANSFER_DEADLINE_MS)
  try {
    const response = await fetch(url, { signal: controller.signal })
    clearTimeout(answer)
    if (!response.ok) throw new OperatingError(`it answered ${response.status}`)
    return Buffer.from(await response.arrayBuffer())
  } catch (cause) {
    throw new OperatingError(`cannot download ${url}`, { cause })
  } finally {
    clearTimeout(answer)
    clearTimeout(whole)
  }
}
