import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { Agent, fetch } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createEchoPod } from './echo-pod.ts'
import { factsOf, type Flow } from './flow.ts'

const flow: Flow = {
  pod: 'web-1',
  node: 'node-1',
  client: { address: '127.0.0.7', port: 4711 },
  port: 9376,
}
const facts = factsOf(flow, 'tcp')
const pod = createEchoPod()
let server: Server
let port: number

beforeAll(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => pod.tcp(socket, flow))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.close())

/** Sends the parts one packet after the other, ends, and returns all that came back. */
const talk = async (...parts: (string | Buffer)[]): Promise<string> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  for (const part of parts) await new Promise((sent) => socket.write(part, sent))
  socket.end()
  await once(socket, 'close')
  return heard
}

const proxyHeader = (command: number, family: number, addresses: number[]): Buffer =>
  Buffer.concat([
    Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
    Buffer.from([command, family, 0, addresses.length, ...addresses]),
  ])
const v4 = proxyHeader(0x21, 0x11, [203, 0, 113, 9, 127, 0, 0, 1, 0x30, 0x39, 0, 80])

test('each line is answered with the facts and the line', async () => {
  expect(await talk('one\ntw', 'o\r\n')).toBe(`${facts} echo=one\n${facts} echo=two\n`)
})

test('what is left when the client ends is answered before the connection ends', async () => {
  expect(await talk('half a line')).toBe(`${facts} echo=half a line\n`)
  expect(await talk('one\nrest')).toBe(`${facts} echo=one\n${facts} echo=rest\n`)
  expect(await talk('GE')).toBe(`${facts} echo=GE\n`)
})

test('a client that says nothing hears nothing', async () => {
  expect(await talk()).toBe('')
})

test('HTTP is told by its first bytes, in however many packets they come', async () => {
  const answer = await talk('G', 'ET / HT', 'TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(answer).toContain(`\r\n\r\n${facts}\n`)
})

test.each([
  ['/', `${facts}\n`],
  ['/hostname', 'web-1'],
  ['/clientip', '127.0.0.7:4711'],
  ['/echo?msg=hello%20there', 'hello there'],
])('GET %s answers as agnhost does', async (path, body) => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`)
  expect(answer.status).toBe(200)
  expect(await answer.text()).toBe(body)
})

test('a connection carries many HTTP requests', async () => {
  const agent = new Agent({ connections: 1 })
  let opened = 0
  agent.on('connect', () => (opened += 1))
  for (let at = 0; at < 5; at += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/hostname`, { dispatcher: agent })
    expect(await answer.text()).toBe('web-1')
  }
  expect(opened).toBe(1)
  await agent.close()
})

test('as many bytes are streamed as were asked for, and counted as were sent', async () => {
  const down = await fetch(`http://127.0.0.1:${port}/bytes?n=10000001`)
  expect((await down.arrayBuffer()).byteLength).toBe(10_000_001)
  const bad = await fetch(`http://127.0.0.1:${port}/bytes?n=-1`)
  expect(bad.status).toBe(400)
  await bad.text()
  const up = request({ port, host: '127.0.0.1', path: '/bytes', method: 'POST' })
  up.end(Buffer.alloc(3_000_000))
  const [answer] = (await once(up, 'response')) as [NodeJS.ReadableStream]
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  expect(text).toBe('bytes=3000000\n')
})

test('a PROXY protocol header names the client, whole or in pieces, before lines or HTTP', async () => {
  const named = facts.replace('127.0.0.7:4711', '203.0.113.9:12345')
  expect(await talk(v4, 'hi\n')).toBe(`${named} echo=hi\n`)
  expect(await talk(v4.subarray(0, 5), v4.subarray(5, 20), v4.subarray(20), 'hi\n')).toBe(
    `${named} echo=hi\n`,
  )
  const http = 'GET / HTTP/1.0\r\n\r\n'
  expect(await talk(Buffer.concat([v4, Buffer.from(http)]))).toContain(`${named}\n`)
})

test('a LOCAL PROXY header keeps the client, an IPv6 one is written in brackets', async () => {
  expect(await talk(proxyHeader(0x20, 0, []), 'hi\n')).toBe(`${facts} echo=hi\n`)
  const v6 = [0x20, 1, 0xd, 0xb8, ...Array.from({ length: 11 }, () => 0), 1]
  const header = proxyHeader(0x21, 0x21, [...v6, ...v6, 0, 80, 0, 80])
  expect(await talk(header, 'hi\n')).toContain('client=[2001:db8::1]:80 ')
})

test('a datagram is answered with the facts and its payload, cut to what UDP carries', () => {
  const answer = pod.udp(Buffer.from('hi'), flow).toString()
  expect(answer).toBe('pod=web-1 node=node-1 client=127.0.0.7:4711 protocol=udp port=9376 echo=hi')
  expect(pod.udp(Buffer.alloc(65_507), flow).length).toBe(65_507)
})
