import { expect, test } from 'vitest'
import { createHealth } from './health.ts'

test('each failing check is named with its reason', async () => {
  const health = createHealth()
  expect(await health.failing()).toEqual({})
  health.add('good', () => undefined)
  health.add('log', () => 'no connection')
  health.add('bus', () => Promise.reject(new Error('away')))
  health.add('hung', () => new Promise(() => undefined))
  expect(await health.failing()).toEqual({
    log: 'no connection',
    bus: 'away',
    hung: 'no answer within 1000 ms',
  })
  health.add('log', () => undefined)
  health.add('hung', () => undefined)
  expect(await health.failing()).toEqual({ bus: 'away' })
})
