import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findBinary, goFolder, releaseFolder } from './find-binary.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'weir-find-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const program = (path: string, version = '9.0.0'): string => {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `#!/bin/sh\necho "nats-server: v${version}"\n`)
  chmodSync(file, 0o755)
  return file
}
const env = (more: Record<string, string> = {}): Record<string, string> => ({
  HOME: join(root, 'home'),
  PATH: `${join(root, 'path')}:${join(root, 'empty')}`,
  ...more,
})

test('a program is looked for in its variable, then PATH, then our cache', () => {
  expect(findBinary('nats-server', { env: env() })).toBeUndefined()
  const cached = program('home/.cache/weir/bin/nats-server-2.15.1/nats-server')
  expect(findBinary('nats-server', { env: env() })).toBe(cached)
  const onPath = program('path/nats-server')
  expect(findBinary('nats-server', { env: env() })).toBe(onPath)
  const own = program('own/server')
  expect(findBinary('nats-server', { env: env({ WEIR_NATS_SERVER: own }) })).toBe(own)
})

test('a variable that names no program is refused by its name', () => {
  const missing = join(root, 'nowhere')
  expect(() => findBinary('etcd', { env: env({ WEIR_ETCD: missing }) })).toThrow(
    `WEIR_ETCD=${missing} is not a program that can be run; correct it`,
  )
})

test('an empty variable is as good as none', () => {
  const onPath = program('path/etcd')
  expect(findBinary('etcd', { env: env({ WEIR_ETCD: '' }) })).toBe(onPath)
})

test('the cache follows XDG_CACHE_HOME', () => {
  const cached = program('xdg/weir/bin/kubectl-1.36.3/kubectl')
  expect(findBinary('kubectl', { env: env({ XDG_CACHE_HOME: join(root, 'xdg') }) })).toBe(cached)
})

test('a nats-server on PATH that is too old is passed over, and that is said', () => {
  program('path/nats-server', '2.9.10')
  const cached = program('home/.cache/weir/bin/nats-server-2.15.1/nats-server')
  const said: string[] = []
  const onProgress = (line: string): number => said.push(line)
  expect(findBinary('nats-server', { env: env(), onProgress })).toBe(cached)
  expect(said.join()).toContain('is 2.9.10, using 2.15.1 instead')
})

test('a file that may not be run is no program', () => {
  chmodSync(program('path/etcd'), 0o644)
  expect(findBinary('etcd', { env: env() })).toBeUndefined()
})

test('what was built counts only while its source is the same', () => {
  const goSourceDir = join(root, 'program')
  mkdirSync(goSourceDir)
  for (const file of ['go.mod', 'go.sum', 'main.go']) writeFileSync(join(goSourceDir, file), file)
  const folder = goFolder(goSourceDir, env())
  const built = program(join(folder, 'etcd').slice(root.length))
  expect(findBinary('etcd', { env: env(), goSourceDir })).toBe(built)
  expect(findBinary('etcd', { env: env() })).toBeUndefined()
  writeFileSync(join(goSourceDir, 'go.sum'), 'another pinned module')
  expect(findBinary('etcd', { env: env(), goSourceDir })).toBeUndefined()
})

test('a downloaded program comes before a built one', () => {
  const goSourceDir = join(root, 'program')
  mkdirSync(goSourceDir)
  for (const file of ['go.mod', 'go.sum', 'main.go']) writeFileSync(join(goSourceDir, file), file)
  program(join(goFolder(goSourceDir, env()), 'etcd').slice(root.length))
  const released = program(join(releaseFolder('etcd', env()), 'etcd').slice(root.length))
  expect(findBinary('etcd', { env: env(), goSourceDir })).toBe(released)
})
