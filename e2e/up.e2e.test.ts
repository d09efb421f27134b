// `weir up` as a process: what it leaves, what it keeps, and what it says when it can't start.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { findKubernetesBinaries, type MiniclusterKind } from '@weir/minicluster'
import { eventually } from '@weir/testing'
import { afterEach, expect, test } from 'vitest'
import { childEnvironment } from './harness/environment.ts'
import { makePlace, placeIn } from './harness/place.ts'
import { main, makeFolder, runWeir, startPlatform, type Platform } from './harness/platform.ts'
import { processesOf } from './harness/processes.ts'
import { askHttp } from './harness/probes.ts'

const kinds: MiniclusterKind[] = findKubernetesBinaries({ env: process.env })
  ? ['simulated', 'kubernetes']
  : ['simulated']

const folders: string[] = []
const running: Platform[] = []
afterEach(async () => {
  for (const platform of running.splice(0)) await platform.interrupt().catch(() => undefined)
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const newFolder = (): string => {
  const folder = makeFolder()
  folders.push(folder)
  return folder
}

const start = async (options: Parameters<typeof startPlatform>[0]): Promise<Platform> => {
  const platform = await startPlatform(options)
  running.push(platform)
  return platform
}

test.each(kinds)(
  'Ctrl-C on a %s platform leaves its folder, the next start keeps all',
  async (kind) => {
    const folder = newFolder()
    const first = await start({ kind, folder })
    const place = await makePlace(first)
    await place.deploy('example', 2)
    await place.expose('web', 'example')
    const door = await place.served('web')
    const { metadata: before } = (await place.service('web')) ?? {}
    expect(await first.interrupt()).toBe(0)
    expect(first.output()).toContain('stopped; state is kept')
    expect(readdirSync(folder).toSorted()).toEqual(['.weir', 'home'])
    await expect(askHttp(door)).rejects.toThrow('ECONNREFUSED')

    const second = await start({ kind, folder })
    expect({ api: second.api, token: second.token }).toEqual({ api: first.api, token: first.token })
    const again = placeIn(second, place.namespace)
    expect(await again.served('web')).toEqual(door)
    const { metadata: after } = (await again.service('web')) ?? {}
    expect(after?.uid).toBe(before?.uid)
    const lives = (await again.story('web')).filter(({ type }) => type === 'LoadBalancerRequested')
    expect(lives).toHaveLength(1)
    await again.remove('web')
    await again.gone('web')
    expect(await second.interrupt()).toBe(0)

    const fresh = await start({ kind, folder, flags: ['--fresh'] })
    expect(fresh.token).not.toBe(first.token)
    expect(await fresh.weirJson('get lb --all')).toEqual([])
    expect(await fresh.kubectl('get namespaces -o name')).not.toContain(place.namespace)
    expect(await fresh.interrupt()).toBe(0)
  },
)

test('a second platform in the same folder is refused and the first goes on', async () => {
  const platform = await start({ kind: 'simulated', folder: newFolder() })
  for (const flags of ['', ' --fresh']) {
    const { code, stderr } = await runWeir(platform.folder, `up --cluster simulated${flags}`)
    expect(code).toBe(5)
    expect(stderr).toContain(`a platform already runs in ${platform.state}`)
    expect(stderr).toContain('use --state FOLDER')
  }
  const place = await makePlace(platform)
  await place.deploy('example', 1)
  await place.expose('web', 'example')
  await place.served('web')
})

test('a taken API port is told by its number, and nothing is left behind', async () => {
  const folder = newFolder()
  const platform = await start({ kind: 'simulated', folder })
  await platform.interrupt()
  const { port } = new URL(platform.api)
  const squatter = createServer().listen(Number(port), '127.0.0.1')
  await once(squatter, 'listening')
  try {
    const { code, stderr } = await runWeir(folder, 'up --cluster simulated')
    expect(code).toBe(1)
    expect(stderr).toContain(`127.0.0.1:${port}`)
    expect(stderr).not.toMatch(/ at .*\.ts:\d+/)
    expect(processesOf(platform.state)).toEqual([])
  } finally {
    squatter.close()
  }
})

test('a folder that cannot be written is told, with what to do', async () => {
  const folder = newFolder()
  writeFileSync(join(folder, 'a-file'), '')
  const state = join(folder, 'a-file/.weir')
  const { code, stderr } = await runWeir(folder, ['up', '--state', state])
  expect(code).toBe(1)
  expect(stderr).toContain(`cannot write to ${state}`)
  expect(stderr).toContain('use --state FOLDER')
})

test('Ctrl-C before everything is up ends what was started', async () => {
  const folder = newFolder()
  const state = join(folder, '.weir')
  const up = spawn(process.execPath, [main, 'up', '--cluster', 'simulated', '--state', state], {
    env: childEnvironment(join(folder, 'home')),
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  up.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(up, 'exit')
  await eventually(() => said.includes('nats-server with JetStream'), { deadlineMs: 60_000 })
  up.kill('SIGINT')
  expect((await ended)[0]).toBe(1)
  expect(said).toContain('interrupted before everything was up')
  await eventually(() => processesOf(state).length === 0)
})

test('a variable named by mistake is told by its name', async () => {
  const folder = newFolder()
  writeFileSync(join(folder, 'home/no-program'), readFileSync(import.meta.filename))
  const env = {
    ...childEnvironment(join(folder, 'home')),
    WEIR_NATS_SERVER: join(folder, 'home/no-program'),
  }
  const up = spawn(process.execPath, [main, 'up', '--cluster', 'simulated'], { env, cwd: folder })
  let said = ''
  up.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  expect((await once(up, 'exit'))[0]).toBe(1)
  expect(said).toMatch(/WEIR_NATS_SERVER=\S+ is not a program that can be run/)
})
