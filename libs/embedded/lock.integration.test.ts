import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withLock } from './lock.ts'
import { identityOf } from './process-identity.ts'

let folder: string
let lock: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-lock-'))
  lock = join(folder, 'lock')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))
const patient = { deadlineMs: 10_000 }

test('one at a time, and the file is gone after the last', async () => {
  let inside = 0
  let most = 0
  const task = async (): Promise<void> => {
    inside += 1
    most = Math.max(most, inside)
    await new Promise((resolve) => setImmediate(resolve))
    inside -= 1
  }
  await Promise.all([1, 2, 3].map(() => withLock(lock, patient, task)))
  expect(most).toBe(1)
  expect(existsSync(lock)).toBe(false)
})

test('a task that fails gives the lock back', async () => {
  const failing = withLock(lock, patient, () => Promise.reject(new Error('failed')))
  await expect(failing).rejects.toThrow('failed')
  expect(await withLock(lock, patient, () => Promise.resolve('free'))).toBe('free')
})

test.each([
  ['a dead process', JSON.stringify({ pid: spawnSync('true').pid, started: '1' })],
  ['an earlier process with our number', JSON.stringify({ pid: process.pid, started: '1' })],
  ['nobody we can name', 'half-writ'],
])('the lock of %s is taken over', async (_who, words) => {
  writeFileSync(lock, words)
  expect(await withLock(lock, patient, () => Promise.resolve('taken'))).toBe('taken')
})

test('a live holder is waited for, told of once, and named when it takes too long', async () => {
  const holder = spawn('sleep', ['60'], { stdio: 'ignore' })
  try {
    writeFileSync(lock, JSON.stringify(identityOf(holder.pid ?? 0)))
    const told: number[] = []
    const options = { deadlineMs: 300, onWait: (pid: number) => told.push(pid) }
    const waiting = withLock(lock, options, () => Promise.resolve())
    await expect(waiting).rejects.toThrow(`process ${holder.pid} holds ${lock} for too long`)
    expect(told).toEqual([holder.pid])
  } finally {
    holder.kill('SIGKILL')
  }
})
