// The live tail over a real socket: server-sent events, as a browser or the command reads them.
import { eventually } from '@weir/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openApi, requested, said, type Api } from './rig/api.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const other = '9c4e1f60-2b7d-4e8a-a1c5-77d02f3e8b94'

let api: Api
let base: string
let token: string
let stop: AbortController
beforeEach(async () => {
  api = await openApi()
  token = await api.tokenOf('acme', 'viewer') // event 1 of the tenant's log
  base = await api.app.listen({ host: '127.0.0.1', port: 0 })
  stop = new AbortController()
})
afterEach(async () => {
  stop.abort()
  await api.close()
})

interface Message {
  readonly id: string
  readonly event: string
  readonly data: unknown
}

/** Opens a tail and gathers its messages as they come. */
const openTail = async (query = '', headers: Record<string, string> = {}) => {
  const answer = await fetch(`${base}/v1/tenants/acme/events/tail${query}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: stop.signal,
  })
  const messages: Message[] = []
  const ended = (async () => {
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      const whole = text.split('\n\n')
      text = whole.pop() ?? ''
      for (const block of whole) {
        const field = (name: string): string =>
          new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
        if (field('event') === '') continue
        messages.push({ id: field('id'), event: field('event'), data: JSON.parse(field('data')) })
      }
    }
  })()
  ended.catch(() => undefined) // the test aborts it
  return {
    answer,
    messages,
    ended,
    has: (count: number) => eventually(() => messages.length >= count),
  }
}
const kinds = (messages: readonly Message[]): string[] =>
  messages.map(({ id, event }) => `${id} ${event}`)

describe('a live tail', () => {
  test('gives what there is, says that it is all, and goes on with what comes', async () => {
    await api.tell(service, requested(service, 'web'))
    const tail = await openTail('?after=0')
    expect(tail.answer.headers.get('content-type')).toBe('text/event-stream')
    await tail.has(3)
    await api.tell(service, said('ReleaseRequested', { reason: 'service-deleted' }))
    api.news('acme')
    await tail.has(4)
    expect(kinds(tail.messages)).toEqual([
      '1 TokenIssued',
      '2 LoadBalancerRequested',
      '2 synced',
      '3 ReleaseRequested',
    ])
    expect(tail.messages[1]?.data).toMatchObject({ sequence: 2, correlationid: service })
    expect(tail.messages[2]?.data).toEqual({ sequence: 2 })
  })

  test('begins with the next event unless told otherwise', async () => {
    await api.tell(service, requested(service, 'web'))
    const tail = await openTail()
    await tail.has(1)
    expect(kinds(tail.messages)).toEqual(['2 synced'])
  })

  test('goes on after the last one that a reader saw', async () => {
    await api.tell(service, requested(service, 'web'))
    await api.tell(service, said('ReleaseRequested', { reason: 'service-deleted' }))
    const tail = await openTail('?after=0', { 'last-event-id': '2' })
    await tail.has(2)
    expect(kinds(tail.messages)).toEqual(['3 ReleaseRequested', '3 synced'])
  })

  test("can be one Service's, or of one type", async () => {
    await api.tell(service, requested(service, 'web'))
    await api.tell(other, requested(other, 'mail'))
    const one = await openTail(`?after=0&story=${other}`)
    const typed = await openTail('?after=0&type=TokenIssued')
    await Promise.all([one.has(2), typed.has(2)])
    expect(kinds(one.messages)).toEqual(['3 LoadBalancerRequested', '3 synced'])
    expect(kinds(typed.messages)).toEqual(['1 TokenIssued', '3 synced'])
  })

  test('loses nothing when hints come in bursts', async () => {
    const tail = await openTail()
    await tail.has(1)
    for (let count = 0; count < 20; count += 1) {
      await api.tell(service, said('FinalizerAdded', { resourceVersion: String(count) }))
      api.news('acme')
      api.news('acme')
    }
    await tail.has(21)
    const ids = tail.messages.slice(1).map(({ id }) => Number(id))
    expect(ids).toEqual(Array.from({ length: 20 }, (_, index) => index + 2))
  })

  test('ends with the server', async () => {
    const tail = await openTail()
    await tail.has(1)
    await api.close()
    await expect(tail.ended).resolves.toBeUndefined()
  })

  test('ends when the log does not answer, so that the reader comes back', async () => {
    const tail = await openTail()
    await tail.has(1)
    api.store.log.after = async () => {
      throw new Error('the database is away')
    }
    api.news('acme')
    await expect(tail.ended).resolves.toBeUndefined()
    expect((await fetch(`${base}/v1/whoami`)).status).toBe(401) // the server lives
  })

  test('of a reader that left costs nothing more', async () => {
    let listening = 0
    const original = api.store.log.after
    api.store.log.after = async (...args) => {
      listening += 1
      return original(...args)
    }
    const tail = await openTail()
    await tail.has(1)
    stop.abort()
    await eventually(async () => {
      const before = listening
      api.news('acme')
      await new Promise((resolve) => setTimeout(resolve, 20))
      return listening === before
    })
  })
})
