import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually, query } from '@weir/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort, identityOf, startPostgres, type Postgres } from './index.ts'

let folder: string
let running: Postgres[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-embedded-'))
})
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()))
  running = []
  rmSync(folder, { recursive: true, force: true })
})

const start = async (port = 0): Promise<Postgres> => {
  const server = await startPostgres({
    dataDir: join(folder, 'pg'),
    port,
    settings: { fsync: 'off' },
  })
  running.push(server)
  return server
}

test('what was committed before a SIGKILL is there after the next start', async () => {
  const first = await start()
  await query(first.url, "create table word as select 'weir' as text")
  await first.kill()
  expect(existsSync(join(folder, 'pg', 'postmaster.pid'))).toBe(true)
  const second = await start(first.port)
  expect(second.url).toBe(first.url)
  expect(await query(second.url, 'select text from word')).toEqual([{ text: 'weir' }])
})

test('a pid file whose number another program has now does not hinder the start', async () => {
  const first = await start()
  await first.kill()
  const pidFile = join(folder, 'pg', 'postmaster.pid')
  const other = spawn('sleep', ['60'], { stdio: 'ignore', detached: true })
  try {
    writeFileSync(pidFile, `${other.pid}\n${join(folder, 'pg')}\n0\n${first.port}\n`)
    const second = await start()
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(identityOf(other.pid ?? 0)).toBeDefined()
  } finally {
    other.kill('SIGKILL')
  }
})

test('nobody gets in without the password, which only we can read', async () => {
  const { url } = await start()
  const wrong = new URL(url)
  wrong.password = 'guess'
  await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed')
  expect(statSync(join(folder, 'pg.password')).mode & 0o777).toBe(0o600)
})

test('a port that is taken is refused in one sentence', async () => {
  const port = await freePort()
  const holder = createServer().listen(port, '127.0.0.1')
  try {
    await expect(start(port)).rejects.toThrow(
      `PostgreSQL cannot listen on 127.0.0.1:${port}; free that port or choose another`,
    )
  } finally {
    holder.close()
  }
})

test('a second start on the same folder names the process that has it', async () => {
  const first = await start()
  await expect(start()).rejects.toThrow(`already runs (process ${first.pid})`)
  expect(await query(first.url, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('the server ends when the process that started it is killed, and starts again', async () => {
  const script = `
    const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, 'index.ts'))})
    const dataDir = ${JSON.stringify(join(folder, 'pg'))}
    const server = await startPostgres({ dataDir, port: 0, settings: { fsync: 'off' } })
    console.log(server.pid)
    setInterval(() => {}, 1000)`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script])
  const pid = await new Promise<number>((resolve) =>
    owner.stdout.once('data', (data: Buffer) => resolve(Number(data.toString()))),
  )
  expect(identityOf(pid)).toBeDefined()
  owner.kill('SIGKILL')
  await eventually(() => identityOf(pid) === undefined)
  const { url } = await start()
  expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
})
