// What `npm start -- --data-plane kernel` gives a person, in a network namespace that stands for their machine.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findBinary } from '@weir/embedded'
import { goSourceDir } from '@weir/minicluster'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { labProblem } from '../../services/edge/rig/lab.ts'
import { childEnvironment } from '../harness/environment.ts'
import { holds } from '../harness/holds.ts'

const { env } = process
const main = resolve(import.meta.dirname, '../../cli/main.ts')
const kubectl = findBinary('kubectl', { env, goSourceDir })
const missing = kubectl === undefined ? 'there is no kubectl' : undefined
const problem = (await labProblem()) ?? missing
const run = promisify(execFile)
const soon = { deadlineMs: 60_000 }

describe.skipIf(problem !== undefined)(
  `a platform on one machine with a kernel edge${problem === undefined ? '' : `, left out: ${problem}`}`,
  () => {
    let folder = ''
    let machine: ChildProcess
    let platform: ChildProcess | undefined
    beforeEach(async () => {
      folder = mkdtempSync(join(tmpdir(), 'weir-up-'))
      machine = spawn('unshare', ['--net', 'sh', '-c', 'echo up; exec sleep infinity'])
      await once(machine.stdout ?? machine, 'data')
    })
    afterEach(() => {
      platform?.kill('SIGKILL')
      machine.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })

    const there = (words: readonly string[]): string[] => {
      const machineOf = ['--net', '--target', String(machine.pid), '--']
      return [...machineOf, ...words]
    }
    const on = async (...words: readonly string[]): Promise<string> => {
      const KUBECONFIG = join(folder, 'kubeconfig')
      const { stdout } = await run('nsenter', there(words), { env: { ...env, KUBECONFIG } })
      return stdout
    }
    const start = async (...words: readonly string[]): Promise<ChildProcess> => {
      const options = ['--cluster', 'simulated', '--state', folder, '--api-port', '7080']
      const argv = there([process.execPath, main, 'up', ...options, ...words])
      const child = spawn('nsenter', argv, { env: childEnvironment(folder) })
      platform = child
      let said = ''
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (part: Buffer) => (said += String(part)))
      await holds(() => expect(said).toContain('Ctrl-C stops everything'), soon)
      return child
    }
    const interfaces = async (): Promise<readonly string[]> =>
      (await on('ip', '-br', 'link'))
        .split('\n')
        .flatMap((line) => line.split(/[@\s]/)[0] ?? [])
        .filter((name) => name !== '')

    test('a pod sees the shell’s own address, TCP over IPv4, and Ctrl-C or a crash leaves nothing', async () => {
      const first = await start('--data-plane', 'kernel')
      await on('kubectl', 'create', 'deployment', 'web', '--image=web', '--replicas=3')
      await on('kubectl', 'expose', 'deployment', 'web', '--port=80', '--type=LoadBalancer')
      const local = '{"spec":{"externalTrafficPolicy":"Local"}}'
      await on('kubectl', 'patch', 'service', 'web', '-p', local)
      const answer = async (): Promise<string> => {
        const path = 'jsonpath={.status.loadBalancer.ingress[0].ip}'
        const ip = await on('kubectl', 'get', 'service', 'web', '-o', path)
        return on('curl', '--silent', '--max-time', '3', `http://${ip}:80`)
      }
      const own = /client=198\.18\.\d+\.1:\d+ protocol=tcp port=80/
      await holds(async () => expect(await answer()).toMatch(own), soon)
      expect(await interfaces()).toHaveLength(2)

      // A crash: the kernel takes away what nobody holds any more.
      first.kill('SIGKILL')
      await holds(async () => expect(await interfaces()).toEqual(['lo']), soon)
      const second = await start()
      await holds(async () => expect(await answer()).toMatch(own), soon)
      second.kill('SIGINT')
      await once(second, 'exit')
      expect(await interfaces()).toEqual(['lo'])
    }, 240_000)
  },
)
