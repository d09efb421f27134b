import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseSettings } from './env.ts'
import { runtimeSettings, settings } from './settings.ts'

const schema = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  WEIR_INSTALLATION: settings.WEIR_INSTALLATION,
  WEIR_FLEET: settings.WEIR_FLEET,
  WEIR_MASTER_KEY: settings.WEIR_MASTER_KEY,
})
const key = Buffer.alloc(32, 5).toString('base64')
const good = {
  DATABASE_URL: 'postgres://weir:secret@127.0.0.1:5432/weir',
  NATS_URL: 'nats://127.0.0.1:4222',
  WEIR_MASTER_KEY: key,
  PATH: '/bin',
}

test('settings that are complete are parsed, with defaults where there are any', () => {
  expect(parseSettings(schema, good)).toEqual({
    DATABASE_URL: good.DATABASE_URL,
    NATS_URL: good.NATS_URL,
    WEIR_INSTALLATION: 'local',
    WEIR_FLEET: 'local',
    WEIR_MASTER_KEY: new Uint8Array(32).fill(5),
  })
  expect(parseSettings(runtimeSettings, {})).toMatchObject({
    LOG_LEVEL: 'info',
    HEALTH_HOST: '127.0.0.1',
    HEALTH_PORT: 0,
  })
})

test('several servers of the bus may be named', () => {
  const NATS_URL = 'nats://a:4222,nats://b:4222'
  expect(parseSettings(schema, { ...good, NATS_URL }).NATS_URL).toBe(NATS_URL)
})

test('every wrong setting is named at once, with what is expected', () => {
  expect(() => parseSettings(schema, { NATS_URL: 'http://x' })).toThrow(
    'DATABASE_URL unset; expected postgres://user:password@host:port/database; ' +
      'NATS_URL refused; expected nats://host:port; ' +
      'WEIR_MASTER_KEY unset; expected base64 of 32 bytes',
  )
})

test.each([
  ['WEIR_MASTER_KEY', Buffer.alloc(16, 5).toString('base64')],
  ['WEIR_MASTER_KEY', 'hunter2'],
  ['DATABASE_URL', 'mysql://root:hunter2@x/y'],
  ['WEIR_FLEET', 'Fleet.One'],
])('a refused %s is not repeated in the error', (name, value) => {
  const parse = (): unknown => parseSettings(schema, { ...good, [name]: value })
  expect(parse).toThrow(`${name} refused;`)
  expect(parse).not.toThrow(value)
})

test.each([
  ['LOG_LEVEL', 'loud'],
  ['HEALTH_PORT', '70000'],
  ['HEALTH_PORT', 'http'],
  ['WEIR_STOP_ON_STDIN_CLOSE', 'yes'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
])('%s=%s is refused', (name, value) => {
  expect(() => parseSettings(runtimeSettings, { [name]: value })).toThrow(`${name} refused`)
})
