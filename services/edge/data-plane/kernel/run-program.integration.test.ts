import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { OperatingError } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { createProgramRunner } from './program-runner.ts'
import { runProgram } from './run-program.ts'

const runner = createProgramRunner()
afterAll(() => runner.stop())

describe.each([
  ['in this process', runProgram],
  ['from a process of its own', runner.run],
])('a program that is run %s', (_where, run) => {
  test('is given its input whole, and what it printed is answered', async () => {
    const input = 'ü'.repeat(300_000)
    expect(await run(['cat'], input)).toBe(input)
    expect(await run(['cat'], new Uint8Array([104, 105]))).toBe('hi')
    expect(await run(['true'])).toBe('')
  })

  test('tells why it failed', async () => {
    const failing = run(['sh', '-c', 'echo too long >&2; exit 3'])
    await expect(failing).rejects.toThrow(OperatingError)
    await expect(failing).rejects.toThrow(/^sh -c .* failed: too long$/)
    await expect(run(['sh', '-c', 'exit 3'])).rejects.toThrow('failed: code 3')
    await expect(run(['no-such-program'])).rejects.toThrow('cannot run no-such-program')
  })

  test('runs beside others', async () => {
    const answers = ['1', '2', '3', '4'].map((number) => run(['echo', number]))
    expect(await Promise.all(answers)).toEqual(['1\n', '2\n', '3\n', '4\n'])
  })
})

const pidOfRunner = async (run: typeof runProgram): Promise<number> =>
  Number(await run(['sh', '-c', 'echo $PPID']))
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a process that runs programs and is killed fails what it runs, and is replaced', async () => {
  const own = createProgramRunner()
  const pid = await pidOfRunner(own.run)
  expect(pid).not.toBe(process.pid)
  const running = own.run(['sleep', '5'])
  const failed = expect(running).rejects.toThrow('what runs programs ended meanwhile')
  process.kill(pid, 'SIGKILL')
  await failed
  expect(await pidOfRunner(own.run)).not.toBe(pid)
  await own.stop()
})

test('it heeds no signal that is for all processes of a terminal, and ends when it is stopped', async () => {
  const own = createProgramRunner()
  const pid = await pidOfRunner(own.run)
  process.kill(pid, 'SIGINT')
  process.kill(pid, 'SIGTERM')
  expect(await pidOfRunner(own.run)).toBe(pid)
  await own.stop()
  await eventually(() => expect(isAlive(pid)).toBe(false))
})

test.each([
  ['runs nothing for one that was killed', 'SIGKILL', false],
  ['ends its work for one that only waits', 'SIGCONT', true],
] as const)('it %s', async (_what, signal, done) => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-runner-'))
  const file = join(folder, 'touched')
  const script = resolve(import.meta.dirname, '../../rig/runner-parent.ts')
  const parent = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const [said] = await once(parent.stdout, 'data')
    const pid = Number(said)
    // It sees the wish only once its parent is what the signal makes of it.
    process.kill(pid, 'SIGSTOP')
    parent.stdin.end(`${file}\n`)
    expect(String(await once(parent.stdout, 'data'))).toBe('SENT\n')
    const ended = once(parent, 'exit')
    parent.kill(signal)
    if (!done) await ended
    process.kill(pid, 'SIGCONT')
    await ended
    await eventually(() => expect(isAlive(pid)).toBe(false))
    expect(existsSync(file)).toBe(done)
  } finally {
    parent.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
})
