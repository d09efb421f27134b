// The command as its users run it: a process, against an API that answers what each test says.
import { spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let server: Server
let url: string
let answers: (request: IncomingMessage, response: ServerResponse) => void
beforeEach(async () => {
  answers = (_request, response) => void response.writeHead(404).end()
  server = createServer((request, response) => answers(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const start = (args: readonly string[], api = url) => {
  const env = { PATH: process.env['PATH'], NO_COLOR: '1' }
  const known = { WEIR_API: api, WEIR_TOKEN: 'token', WEIR_TENANT: 'acme' }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'weir.js'), ...args], {
    cwd: tmpdir(),
    env: { ...env, ...known },
  })
  const seen = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (seen.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (seen.err += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return { child, seen, ended }
}
const weir = async (args: string, api?: string) => {
  const { seen, ended } = start(args.split(' '), api)
  return { code: await ended, ...seen }
}
const json = (status: number, body: unknown): void => {
  answers = (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

const commands = `
up,demo,check,migrate,url,explain,explain service,events,events service,events all,get,gc,gc report,
gc explain,gc approve,gc suspend,gc pause,gc resume,gc apply,
tenant,tenant create,pool,pool create,cluster,cluster connect`
  .split(',')
  .map((command) => command.trim())

describe('help', () => {
  test.each(['', ...commands])(
    'of "weir %s" says how it is called and what it does',
    async (command) => {
      const { code, out, err } = await weir(`${command} --help`.trim())
      const [usage = '', blank, description = ''] = out.split('\n')
      expect([code, err, blank]).toEqual([0, '', ''])
      expect(usage).toMatch(new RegExp(`^Usage: weir ${command}`.trimEnd()))
      expect(description).toMatch(/^[A-Za-z].{10,}[^.]$/)
      const options = out.split('\n').filter((line) => /^ {2}(-|[a-z])/.test(line))
      for (const line of options) expect(line, 'an option says what it is for').toMatch(/\S {2,}\S/)
      for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
    },
  )

  test('names every command, and every exit code', async () => {
    const { out } = await weir('--help')
    const named = commands.filter((command) => !command.includes(' '))
    for (const command of named) expect(out).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'))
    expect(out).toContain('Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed')
  })

  test('is shown to whoever mistypes, with the code of a usage error', async () => {
    const { code, err } = await weir('explian')
    expect(code).toBe(2)
    expect(err).toContain("unknown command 'explian'")
    expect(err).toContain('explain')
  })
})

describe('the exit code says what went wrong', () => {
  const problem = { detail: 'it went wrong', hint: 'do it right' }

  test.each([
    [400, 2],
    [401, 4],
    [403, 4],
    [404, 3],
    [409, 5],
    [422, 2],
    [500, 1],
    [503, 7],
  ])('%d of the API is %d, with its own sentence and hint', async (status, expected) => {
    json(status, problem)
    const { code, out, err } = await weir('get lb')
    expect([code, out, err]).toEqual([expected, '', '✖ it went wrong\n  do it right\n'])
  })

  test('7 when nobody answers', async () => {
    const { code, err } = await weir('get lb', 'http://127.0.0.1:1')
    expect(code).toBe(7)
    expect(err).toContain('is the platform running?')
  })

  test.each([
    ['get nothing', "can't be listed; use one of lb, pool, cluster, tenant, edge"],
    ['url example', '"example" is not NAMESPACE/NAME'],
    ['get lb -o xml', "argument 'xml' is invalid"],
    ['pool create p --range 10.0.0.0/24 --priority high', '--priority high is not a whole number'],
    ['pool create p', "required option '--range <range...>'"],
    ['cluster connect --kubeconfig /no/such/file', 'cannot read the kubeconfig /no/such/file'],
  ])('2 for "%s"', async (args, sentence) => {
    const { code, err } = await weir(args)
    expect(code).toBe(2)
    expect(err).toContain(sentence)
    expect(err).not.toMatch(/^ +at /m)
  })

  test('1 when a part of the platform is not well', async () => {
    json(200, { items: [{ part: 'edges', level: 'failed', detail: 'none', hint: 'start one' }] })
    const { code, err } = await weir('check')
    expect([code, err]).toEqual([1, '✖ edges: none\n    start one\n✖ 1 parts are not well\n'])
  })
})

describe('data is for programs and words are for people', () => {
  test.each(['json', 'yaml'])('tenant create -o %s', async (format) => {
    json(201, { tenant: 'acme', id: '1', token: 'weir_1' })
    const { out, err, code } = await weir(`tenant create acme -o ${format}`)
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain(format === 'json' ? '"token": "weir_1"' : 'token: weir_1')
  })

  test('a token alone is on stdout, so that it can be kept by $(...)', async () => {
    json(201, { tenant: 'acme', id: '1', token: 'weir_1' })
    expect((await weir('tenant create acme')).out).toBe('weir_1\n')
  })
})

describe('events -f', () => {
  const event = (sequence: number) => ({
    sequence,
    type: 'FinalizerAdded',
    subject: 'status-x',
    streamversion: sequence,
    recordedtime: '2026-03-01T12:00:00.000Z',
    actor: 'watcher',
    causationid: 'x',
    data: {},
  })
  const message = (sequence: number): string =>
    `id: ${sequence}\nevent: FinalizerAdded\ndata: ${JSON.stringify(event(sequence))}\n\n`

  test('prints events as they come, and leaves nothing running on Ctrl-C', async () => {
    let open = 0
    answers = (_request, response) => {
      open += 1
      response.on('close', () => (open -= 1))
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`${message(1)}id: 1\nevent: synced\ndata: {"sequence":1}\n\n`)
    }
    const { child, seen, ended } = start(['events', 'all', '-f', '-o', 'json'])
    await eventually(() => seen.out.includes('\n'))
    expect(JSON.parse(seen.out)).toEqual(event(1))
    child.kill('SIGINT')
    expect(await ended).toBe(0)
    expect(seen.err).toBe('')
    await eventually(() => open === 0)
  })

  test('goes on after the last event it saw when the connection is lost', async () => {
    const asked: (string | undefined)[] = []
    answers = (request, response) => {
      asked.push(request.headers['last-event-id']?.toString())
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(message(asked.length))
      if (asked.length === 1) setTimeout(() => response.destroy(), 20)
    }
    const { child, seen, ended } = start(['events', 'all', '--follow'])
    await eventually(() => seen.out.split('\n').length > 2)
    expect(asked).toEqual(['0', '1'])
    expect(seen.out.split('\n').map((line) => line.split(' ')[0])).toEqual(['1', '2', ''])
    child.kill('SIGINT')
    expect(await ended).toBe(0)
  })

  test('ends when it is refused', async () => {
    json(404, { detail: 'tenant acme does not exist, or your token may not see it' })
    expect((await weir('events all -f')).code).toBe(3)
  })
})
