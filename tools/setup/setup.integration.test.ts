import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const NODE_PACKAGE = `node-${process.platform}-${process.arch}`
const LOCK = {
  packages: {
    '': {},
    'node_modules/left': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/for-another-platform': { version: '1.0.0', optional: true },
    'node_modules/@weir/kernel': { resolved: 'libs/kernel', link: true },
  },
}

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weir-setup-'))
  cpSync(import.meta.dirname, join(root, 'tools', 'setup'), { recursive: true })
  writeJson('package.json', { type: 'module' })
  writeJson('package-lock.json', LOCK)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const writeJson = (path: string, value: unknown): void => {
  mkdirSync(join(root, path, '..'), { recursive: true })
  writeFileSync(join(root, path), JSON.stringify(value))
}

/** An npm that writes down how it was called and then does what `body` says. */
const fakeNpm = (body: string): void => {
  mkdirSync(join(root, 'bin'), { recursive: true })
  writeFileSync(join(root, 'bin', 'npm'), `#!/bin/sh\necho "$@" >> npm-calls\n${body}\n`)
  chmodSync(join(root, 'bin', 'npm'), 0o755)
}
const INSTALLS = [
  `mkdir -p node_modules/${NODE_PACKAGE}/bin node_modules/.bin`,
  'cp package-lock.json node_modules/.package-lock.json',
  `echo '{"version":"24.21.0"}' > node_modules/${NODE_PACKAGE}/package.json`,
  `touch node_modules/${NODE_PACKAGE}/bin/node`,
].join('\n')

const command = [process.execPath, 'tools/setup/setup.js'] as const
const env = (): NodeJS.ProcessEnv => ({ PATH: `${join(root, 'bin')}:/usr/bin:/bin` })
const setup = (): { code: number | null; said: string } => {
  const { status, stderr } = spawnSync(command[0], [command[1]], {
    cwd: root,
    env: env(),
    encoding: 'utf8',
  })
  return { code: status, said: stderr }
}
const npmCalls = (): number =>
  existsSync(join(root, 'npm-calls'))
    ? readFileSync(join(root, 'npm-calls'), 'utf8').trim().split('\n').length
    : 0

test('a fresh clone is installed once, with one line, and then left alone in silence', () => {
  fakeNpm(INSTALLS)
  const first = setup()
  expect(first).toEqual({
    code: 0,
    said: 'weir: installing packages, once for each change of package-lock.json\n',
  })
  expect(setup()).toEqual({ code: 0, said: '' })
  expect(readFileSync(join(root, 'npm-calls'), 'utf8')).toMatch(/^install --no-save /)
  expect(npmCalls()).toBe(1)
})

test('another version in the lock file is installed', () => {
  fakeNpm(INSTALLS)
  setup()
  const next = structuredClone(LOCK)
  next.packages['node_modules/left'] = { version: '1.0.1', integrity: 'sha512-b' }
  writeJson('package-lock.json', next)
  expect(setup().code).toBe(0)
  expect(npmCalls()).toBe(2)
})

test('an optional package for another platform may be absent', () => {
  fakeNpm(INSTALLS)
  setup()
  const { 'node_modules/for-another-platform': _, ...here } = LOCK.packages
  writeJson('node_modules/.package-lock.json', { packages: here })
  setup()
  expect(npmCalls()).toBe(1)
})

test('an install that was cut short is done again', () => {
  fakeNpm(INSTALLS)
  setup()
  rmSync(join(root, 'node_modules', '.package-lock.json'))
  expect(setup().code).toBe(0)
  expect(npmCalls()).toBe(2)
})

test('the link to the Node that npm brought is made when npm did not', () => {
  fakeNpm(INSTALLS)
  setup()
  expect(readlinkSync(join(root, 'node_modules', '.bin', 'node'))).toBe(
    `../${NODE_PACKAGE}/bin/node`,
  )
})

test('without npm it says so', () => {
  mkdirSync(join(root, 'bin'))
  const { status, stderr } = spawnSync(command[0], [command[1]], {
    cwd: root,
    env: { PATH: join(root, 'bin') },
    encoding: 'utf8',
  })
  expect(status).toBe(1)
  expect(stderr).toContain('npm is not on PATH; install it (it comes with Node) and try again')
})

test.each([
  ['npm ERR! code ENOTFOUND', 'the package registry cannot be reached; go online once'],
  ['npm ERR! code EACCES', 'no write access to something npm must write'],
  ['npm ERR! code ETARGET', 'the registry has not what package-lock.json names'],
  ['npm ERR! code ENOSPC', 'the disk is full'],
  ['npm ERR! code EWHATEVER', 'npm install failed; npm said'],
])('%s is told as: %s', (words, sentence) => {
  fakeNpm(`echo '${words}' >&2; exit 1`)
  const { code, said } = setup()
  expect(code).toBe(1)
  expect(said).toContain(sentence)
  expect(said).toContain(words)
})

test('two at once install once', async () => {
  fakeNpm(`sleep 0.3\n${INSTALLS}`)
  const run = (): Promise<number | null> =>
    new Promise((resolve) =>
      spawn(command[0], [command[1]], { cwd: root, env: env() }).once('exit', resolve),
    )
  expect(await Promise.all([run(), run(), run()])).toEqual([0, 0, 0])
  expect(npmCalls()).toBe(1)
  expect(existsSync(join(root, '.weir', 'setup.lock'))).toBe(false)
})

test('the lock of a dead process is taken over', () => {
  fakeNpm(INSTALLS)
  const dead = spawnSync('true')
  mkdirSync(join(root, '.weir'))
  writeFileSync(join(root, '.weir', 'setup.lock'), String(dead.pid))
  expect(setup().code).toBe(0)
})
