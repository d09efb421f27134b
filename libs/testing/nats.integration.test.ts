import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testNats, type TestNats } from './nats.ts'

let nats: TestNats
beforeAll(async () => {
  nats = await testNats()
})
afterAll(() => nats.stop())

/** Speaks NATS by hand: this package may not import the client. */
const ask = (subject: string, body: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(nats.url)
    const socket = connect(Number(port), hostname)
    let heard = ''
    socket.once('error', reject)
    socket.on('data', (data) => {
      heard += data.toString()
      const reply = /MSG answer 1 \d+\r\n(.*)\r\n/.exec(heard)?.[1]
      if (reply === undefined) return
      socket.destroy()
      resolve(reply)
    })
    socket.write(`CONNECT {"verbose":false}\r\nSUB answer 1\r\n`)
    socket.write(`PUB ${subject} answer ${body.length}\r\n${body}\r\n`)
  })

const createStream = (): Promise<string> =>
  ask('$JS.API.STREAM.CREATE.S', '{"name":"S","subjects":["s"],"storage":"file"}')
const streamNames = async (): Promise<unknown> =>
  (JSON.parse(await ask('$JS.API.STREAM.NAMES', '')) as { streams: unknown }).streams

test('a restart keeps the port and what was stored', async () => {
  const url = nats.url
  await createStream()
  await nats.restart()
  expect(nats.url).toBe(url)
  expect(await streamNames()).toEqual(['S'])
})

test('a killed server is away until it is restarted, and keeps what was stored', async () => {
  await createStream()
  await nats.kill()
  await expect(streamNames()).rejects.toThrow('ECONNREFUSED')
  await nats.restart()
  expect(await streamNames()).toEqual(['S'])
})

test('a wipe loses everything', async () => {
  await createStream()
  await nats.wipe()
  expect(await streamNames()).toBeNull()
})
