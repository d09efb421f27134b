import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { eventually } from '@weir/testing'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

const fixture = fileURLToPath(new URL('./run-fixture.ts', import.meta.url))
const NATS_URL = 'nats://weir:hunter2@127.0.0.1:4222'

test('a service says when it is ready, answers about itself, and stops on SIGTERM', async () => {
  const service = start({ NATS_URL, LOG_LEVEL: 'debug' })
  const url = `http://127.0.0.1:${await service.healthPort()}`
  expect((await fetch(`${url}/livez`)).status).toBe(200)
  expect(await json(`${url}/readyz`)).toEqual([200, { ready: true }])
  const metrics = await (await fetch(`${url}/metrics`)).text()
  expect(metrics).toContain('weir_fixture_total{kind="good",service="fixture"} 2')
  expect(metrics).toContain('weir_stage_seconds_sum{service="fixture",stage="observe"} 0.02')
  expect((await fetch(`${url}/nothing`)).status).toBe(404)

  service.child.kill('SIGUSR2')
  await eventually(async () => (await fetch(`${url}/readyz`)).status === 503)
  const failing = { ready: false, failing: { switch: 'switched off' } }
  expect(await json(`${url}/readyz`)).toEqual([503, failing])

  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  const said = service.lines().map((line) => line.msg)
  expect(said).toEqual(['starting', 'ready', 'stopping', 'the service stops', 'stopped'])
})

test('no line holds a credential, and lines in a span hold its trace', async () => {
  const service = start({ NATS_URL })
  await service.healthPort()
  service.child.kill('SIGINT')
  expect(await service.ended).toBe(0)
  expect(service.text()).not.toMatch(/hunter2|hush/)
  const starting = service.lines().find((line) => line.msg === 'starting')
  expect(starting?.trace).toMatch(/^[0-9a-f]{32}$/)
})

test('a service is not ready while it starts, and a stop ends the start', async () => {
  const HEALTH_PORT = String(await freePort())
  const service = start({ NATS_URL, MODE: 'slow-start', HEALTH_PORT })
  const url = `http://127.0.0.1:${HEALTH_PORT}/readyz`
  const starting = [503, { ready: false, failing: { service: 'starting' } }]
  await eventually(async () => expect(await json(url)).toEqual(starting))
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
})

test('a service ends when its parent is gone', async () => {
  const service = start({ NATS_URL, WEIR_STOP_ON_STDIN_CLOSE: '1' })
  await service.healthPort()
  service.child.stdin?.end()
  expect(await service.ended).toBe(0)
})

test('a service ends in order when its parent died, though nobody reads its log', async () => {
  const service = start({ NATS_URL, WEIR_STOP_ON_STDIN_CLOSE: '1' })
  await service.healthPort()
  service.child.stdout?.destroy()
  service.child.stdin?.end()
  expect(await service.exited).toBe(0)
})

test('a Ctrl-C and the signal of a supervisor are one wish: the service stops in order', async () => {
  const service = start({ NATS_URL })
  await service.healthPort()
  for (const signal of ['SIGINT', 'SIGINT', 'SIGTERM'] as const) service.child.kill(signal)
  expect(await service.ended).toBe(0)
  expect(service.lines().at(-1)?.msg).toBe('stopped')
})

test('the same signal again, later, ends a service that does not stop', async () => {
  const service = start({ NATS_URL, MODE: 'never-stop' })
  await service.healthPort()
  await eventually(() => {
    service.child.kill('SIGTERM')
    return service.child.exitCode !== null
  })
  expect(await service.ended).toBe(1)
})

test.each([
  ['wrong settings', {}, 2, { msg: 'NATS_URL unset; expected nats://host:port' }],
  ['a world that fails it', { MODE: 'world' }, 1, { error: 'cannot reach the world' }],
  ['a broken invariant', { MODE: 'bug' }, 70, { bug: true, error: 'an invariant is broken' }],
  ['a rejection nobody handles', { MODE: 'reject' }, 70, { bug: true }],
  ['an exception nobody catches', { MODE: 'throw' }, 70, { bug: true }],
])('%s ends it with a line that says so', async (name, environment, code, line) => {
  const service = start(name === 'wrong settings' ? environment : { NATS_URL, ...environment })
  expect(await service.ended).toBe(code)
  expect(service.lines().at(-1)).toMatchObject({ level: 'error', ...line })
})

test('spans are sent to a collector, the last ones at the end', async () => {
  const received: string[] = []
  const collector = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push(`${request.url} ${Buffer.concat(chunks).toString('latin1')}`)
      response.end()
    })
  })
  await new Promise<void>((listening) => collector.listen(0, '127.0.0.1', listening))
  onTestFinished(() => void collector.close())
  const address = collector.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const service = start({ NATS_URL, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
  await service.healthPort()
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(received.join()).toMatch(/^\/v1\/traces [\s\S]*fixture[\s\S]*start/)
})

test('a collector that is away does not keep a service from ending', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`
  const service = start({ NATS_URL, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })
  await service.healthPort()
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
})

const line = z.looseObject({
  level: z.string(),
  msg: z.string(),
  trace: z.string().optional(),
  healthPort: z.number().optional(),
})

interface Started {
  readonly child: ChildProcess
  /** Its exit code, once all it said is read. */
  readonly ended: Promise<number | null>
  readonly exited: Promise<number | null>
  text(): string
  lines(): z.infer<typeof line>[]
  healthPort(): Promise<number>
}

const start = (environment: Readonly<Record<string, string>>): Started => {
  const child = spawn(process.execPath, [fixture], {
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let out = ''
  child.stdout.on('data', (data: Buffer) => (out += data.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const lines = (): z.infer<typeof line>[] =>
    out
      .split('\n')
      .slice(0, -1)
      .map((text) => line.parse(JSON.parse(text)))
  return {
    child,
    ended,
    exited,
    text: () => out,
    lines,
    healthPort: () => eventually(() => lines().find((said) => said.msg === 'ready')?.healthPort),
  }
}

const json = async (url: string): Promise<[number, unknown]> => {
  const response = await fetch(url)
  return [response.status, await response.json()]
}

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  return typeof address === 'object' && address !== null ? address.port : 0
}
