import { OperatingError } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createLogger, type LogLevel } from './logger.ts'

const logged = (): { lines: Record<string, unknown>[]; write: (line: string) => void } => {
  const lines: Record<string, unknown>[] = []
  return { lines, write: (line) => void lines.push(JSON.parse(line)) }
}

const loggerTo = (destination: ReturnType<typeof logged>, level: LogLevel = 'info') =>
  createLogger({ service: 'allocator', version: '1', level, destination, traceId: () => 'abc' })

test('a line carries its service, its trace, what its child is bound to, and its fields', () => {
  const out = logged()
  const bound = { tenant: 'acme', cluster: 'c1' }
  loggerTo(out).child(bound).child({ service_uid: 'u1' }).warn({ tried: 3 }, 'no address is free')
  expect(out.lines).toMatchObject([
    {
      level: 'warn',
      service: 'allocator',
      trace: 'abc',
      ...bound,
      service_uid: 'u1',
      tried: 3,
      msg: 'no address is free',
    },
  ])
})

test('lines below the level are not written', () => {
  const out = logged()
  loggerTo(out, 'warn').info({}, 'quiet')
  expect(out.lines).toEqual([])
})

test.each([
  ['a field named like a secret', { password: 'hunter2', api: { bearerToken: 'hunter2' } }],
  ['a field that ends like a secret', { WEIR_MASTER_KEY: 'hunter2', clientKey: 'hunter2' }],
  ['a list of secrets', { clusters: [{ credentials: { ca: 'x', token: 'hunter2' } }] }],
  ['a URL', { url: 'postgres://weir:hunter2@db/weir' }],
  ['an error', { error: new OperatingError('no', { cause: new Error('nats://a:hunter2@b') }) }],
  ['a header', { text: 'Authorization: Bearer hunter2' }],
  ['bytes', { body: new TextEncoder().encode('hunter2') }],
])('a credential in %s is not written', (_where, fields) => {
  const out = logged()
  loggerTo(out).info(fields, 'connecting to nats://a:hunter2@b')
  expect(out.lines).toHaveLength(1)
  expect(JSON.stringify(out.lines)).not.toContain('hunter2')
})

test('what only sounds like a secret is written', () => {
  const out = logged()
  const fields = {
    key: 'default/web',
    sharingKey: 'web',
    token: 5,
    tokens: 2,
    port: '//127.0.0.1:80',
  }
  loggerTo(out).info(fields, 'fine')
  expect(out.lines[0]).toMatchObject(fields)
})

test('an error becomes its chain of messages, and a circle ends', () => {
  const out = logged()
  const circle: Record<string, unknown> = { name: 'ring' }
  circle.self = circle
  const error = new OperatingError('cannot append', { cause: new Error('disk full') })
  loggerTo(out).error({ error, circle, big: 5n }, 'failed')
  expect(out.lines[0]).toMatchObject({ error: 'cannot append: disk full', big: '5' })
})
