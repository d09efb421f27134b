import { serviceUid } from '@weir/contract'
import { silentLogger, type Clock } from '@weir/kernel'
import { expect, test } from 'vitest'
import { ApiError } from './api-error.ts'
import type { KubeCall } from './connection.ts'
import { createEventRecorder, type KubeEvent } from './events.ts'

const uid = serviceUid.parse('11111111-1111-4111-8111-111111111111')
const told = (more: Partial<KubeEvent> = {}): KubeEvent => ({
  about: { namespace: 'default', name: 'web', uid },
  type: 'Normal',
  reason: 'EnsuredLoadBalancer',
  message: 'Ensured load balancer',
  key: 'one',
  at: 1_000,
  ...more,
})

const record = () => {
  let now = 1_000_000
  const calls: KubeCall[] = []
  const names = new Set<string>()
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const call = async (request: KubeCall): Promise<unknown> => {
    const { name } = (request.body as { metadata?: { name: string } }).metadata ?? { name: '' }
    if (request.method === 'POST' && names.has(name)) {
      throw new ApiError('exists', { status: 409, reason: 'AlreadyExists' })
    }
    names.add(name)
    calls.push(request)
    return {}
  }
  const recorder = createEventRecorder({
    connection: { call } as never,
    clock,
    logger: silentLogger,
  })
  return { recorder, calls, pass: (ms: number) => (now += ms) }
}

test('the same event told twice is there once', async () => {
  const { recorder, calls } = record()
  recorder.record(told())
  recorder.record(told())
  await recorder.idle()
  expect(calls).toHaveLength(1)
})

test('a warning that still stands gets a new time', async () => {
  const { recorder, calls } = record()
  recorder.record(told())
  recorder.record(told({ refresh: true }))
  await recorder.idle()
  expect(calls.map(({ method }) => method)).toEqual(['POST', 'PATCH'])
})

test('a thousand failures are some thirty lines at most, and the later ones are told as alike', async () => {
  const { recorder, calls, pass } = record()
  for (let n = 0; n < 1000; n += 1) {
    recorder.record(told({ key: `failure-${n}`, reason: 'SyncLoadBalancerFailed', at: n }))
    pass(1000)
  }
  await recorder.idle()
  expect(calls.length).toBeLessThanOrEqual(30)
  expect(JSON.stringify(calls)).toContain('combined from similar events')
})

test('a refused Event is nobody’s problem', async () => {
  const recorder = createEventRecorder({
    connection: {
      call: () => Promise.reject(new ApiError('terminating', { status: 403, reason: 'Forbidden' })),
    } as never,
    clock: { now: () => 0, sleep: async () => undefined },
    logger: silentLogger,
  })
  recorder.record(told())
  await recorder.idle()
})
