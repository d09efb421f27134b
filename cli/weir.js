#!/usr/bin/env node
// Runs the command on a Node that strips types, whatever Node is on PATH: the one that npm brought.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { join, resolve } from 'node:path'

// What was compiled once is kept beside the packages, so that the command starts in a tenth of a second.
module.enableCompileCache?.(join(import.meta.dirname, '../node_modules/.cache/weir'))

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major > 24 || (major === 24 && minor >= 12)) {
  await import('./main.ts')
} else {
  const brought = join(resolve(import.meta.dirname, '..'), 'node_modules/.bin/node')
  if (!existsSync(brought)) {
    process.stderr.write(
      `weir needs Node 24.12 or newer; this is ${process.version}. Run "npm start" once.\n`,
    )
    process.exit(1)
  }
  const main = join(import.meta.dirname, 'main.ts')
  const ran = spawnSync(brought, [main, ...process.argv.slice(2)], { stdio: 'inherit' })
  process.exit(ran.status ?? 1)
}
