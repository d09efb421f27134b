import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startChild, type Child } from './child.ts'
import { identityOf } from './process-identity.ts'

const program = ['/usr/bin/sh', '/bin/sh'].find(existsSync) ?? 'sh'
let runDir: string
let strangers: ChildProcess[] = []
let children: Child[] = []
beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'weir-child-'))
})
afterEach(async () => {
  for (const stranger of strangers) stranger.kill('SIGKILL')
  await Promise.all(children.map((child) => child.kill()))
  strangers = []
  children = []
  rmSync(runDir, { recursive: true, force: true })
})

const start = async (script: string): Promise<Child> => {
  const args = ['-c', script]
  const child = await startChild({ name: 'part', runDir, program, args, stopSignal: 'SIGTERM' })
  children.push(child)
  return child
}
const waits = 'while :; do sleep 1; done'
/** A process that we did not start as a child, as one that an earlier owner left. */
const stranger = (): number => {
  const process = spawn(program, ['-c', waits], { stdio: 'ignore', detached: true })
  strangers.push(process)
  return process.pid ?? 0
}
const dead = { pid: spawnSync('true').pid, started: '1' }
const remember = (record: unknown): void =>
  writeFileSync(join(runDir, 'part.pid'), JSON.stringify(record))

test('what an owner that died left running is ended before the next start', async () => {
  const left = stranger()
  remember({ ...identityOf(left), owner: dead, program })
  const child = await start(waits)
  expect(identityOf(left)).toBeUndefined()
  expect(child.how()).toBeUndefined()
})

test.each([
  ['began at another time', { started: '1' }],
  ['is another program', { program: '/opt/other' }],
])('a process under the remembered number that %s is left alone', async (_why, change) => {
  const other = stranger()
  remember({ ...identityOf(other), owner: dead, program, ...change })
  await start(waits)
  expect(identityOf(other)).toBeDefined()
})

test('one that another living process owns is left alone, and its owner is named', async () => {
  const [left, owner] = [stranger(), stranger()]
  remember({ ...identityOf(left), owner: identityOf(owner), program })
  await expect(start(waits)).rejects.toThrow(`for process ${owner}; stop that one first`)
  expect(identityOf(left)).toBeDefined()
})

test('a broken record is forgotten', async () => {
  writeFileSync(join(runDir, 'part.pid'), '{"pid": 1')
  expect((await start(waits)).how()).toBeUndefined()
})

test('stop insists when it is not listened to', async () => {
  const child = await start(`trap '' TERM; echo deaf; ${waits}`)
  await eventually(() => child.lastWords() === 'deaf')
  await child.stop(100)
  expect(await child.ended).toBe('SIGKILL')
  expect(existsSync(join(runDir, 'part.pid'))).toBe(false)
})

test('its last words are those since its start', async () => {
  await (
    await start('echo first; exit 3')
  ).ended
  const second = await start('echo second; exit 4')
  expect(await second.ended).toBe('code 4')
  expect(second.lastWords()).toBe('second')
})

test('nothing of our environment is inherited', async () => {
  vi.stubEnv('PGHOST', 'example.org')
  const child = await start('echo "[$PGHOST]"')
  await child.ended
  expect(child.lastWords()).toBe('[]')
  vi.unstubAllEnvs()
})

test('a program that is not there is named', async () => {
  const missing = startChild({
    name: 'part',
    runDir,
    program: '/nowhere/part',
    args: [],
    stopSignal: 'SIGTERM',
  })
  await expect(missing).rejects.toThrow('cannot start part: there is no /nowhere/part')
})
