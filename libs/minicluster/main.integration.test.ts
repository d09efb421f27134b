import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { get } from './conformance/rig.conformance.ts'

const main = join(import.meta.dirname, 'main.ts')
let state = ''
let ended: Promise<unknown[]>

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'weir-main-'))
})
afterEach(async () => {
  await ended
  await rm(state, { recursive: true, force: true })
})

const run = (...args: string[]) => {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  /** The first line that says `key`, among the progress. */
  const say = async (key: string): Promise<unknown> => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the process ended before it said ${key}`)
      const line = JSON.parse(value) as Record<string, unknown>
      if (line[key] !== undefined) return line[key]
    }
  }
  return { child, say }
}

const simulated = () => run('--kind', 'simulated', '--state', state, '--node', 'a=127.67.1.1')

test.each(['SIGTERM', 'SIGINT', 'the end of its input'])(
  'it tells when it is ready, and %s ends it with nothing left',
  async (how) => {
    const { child, say } = simulated()
    const ready = await say('ready')
    const kubeconfigFile = join(state, 'kubeconfig')
    expect(ready).toEqual({
      kind: 'simulated',
      server: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      kubeconfigFile,
      nodes: [{ name: 'a', address: '127.67.1.1' }],
    })
    expect((await stat(kubeconfigFile)).mode & 0o777).toBe(0o600)
    expect((await get('http://127.67.1.1:10256/healthz')).status).toBe(200)
    if (how === 'SIGTERM' || how === 'SIGINT') child.kill(how)
    else child.stdin.end()
    expect(await ended).toEqual([0, null])
    await expect(get('http://127.67.1.1:10256/healthz')).rejects.toThrow('ECONNREFUSED')
  },
)

test('what it cannot do it says, and exits with 1', async () => {
  const { say } = run('--kind', 'kubernetes', '--state', state)
  expect(await say('failed')).toBe('a kubernetes minicluster needs the paths of its programs')
  expect(await ended).toEqual([1, null])
})
