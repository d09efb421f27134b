import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { freePort, identityOf, obtainBinary, startNatsServer, type NatsServer } from './index.ts'

let folder: string
let running: NatsServer[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weir-nats-'))
})
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()))
  running = []
  rmSync(folder, { recursive: true, force: true })
})

const start = async (port = 0): Promise<NatsServer> => {
  const program = await obtainBinary('nats-server', { env: process.env })
  const server = await startNatsServer({ program, storeDir: join(folder, 'jetstream'), port })
  running.push(server)
  return server
}

test('it starts again on the same port after a SIGKILL', async () => {
  const first = await start()
  await first.kill()
  expect(await first.ended).toBe('SIGKILL')
  expect((await start(first.port)).url).toBe(first.url)
})

test('a stop ends the process and may come twice', async () => {
  const server = await start()
  await server.stop()
  await server.stop()
  expect(identityOf(server.pid)).toBeUndefined()
})

test('a second start on the same folder names the process that has it', async () => {
  const first = await start()
  await expect(start()).rejects.toThrow(`already runs (process ${first.pid})`)
})

test('a port that is taken is refused in one sentence', async () => {
  const port = await freePort()
  const holder = createServer().listen(port, '127.0.0.1')
  try {
    await expect(start(port)).rejects.toThrow(
      `nats-server cannot listen on 127.0.0.1:${port}; free that port or choose another`,
    )
  } finally {
    holder.close()
  }
})
