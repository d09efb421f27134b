import { isType } from '@weir/contract'
import { Bug } from '@weir/kernel'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from './eventlog.ts'
import {
  fact,
  fresh,
  freshStream,
  freshTenant,
  history,
  ports,
  recorded,
  request,
  sequences,
  upTo,
  type Subject,
} from './facts.conformance.ts'

export const describeLog = (subject: Subject): void => {
  describe('log', () => {
    let store: Store
    let other: Store
    beforeAll(async () => {
      store = await subject.open()
      other = await subject.open()
    })
    afterAll(async () => {
      await store.close()
      await other.close()
    })

    test('a decision of several events is recorded whole, in order, and read back as it was given', async () => {
      const tenant = freshTenant()
      const [one, two] = [freshStream(), freshStream()]
      const before = await store.log.now()
      const events = await recorded(
        store,
        request(tenant, 'c1', {
          correlationId: 'the-story',
          causationId: 'obs',
          traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
          events: [fact(one, 0, 'a'), fact(two, 0, 'b'), fact(one, 0, 'c \u0000 "\\ ü')],
        }),
      )
      expect(events.map((e) => [e.sequence, e.subject, e.streamversion])).toEqual([
        [1, one, 1],
        [2, two, 1],
        [3, one, 2],
      ])
      expect(
        events.filter(isType('FinalizerAdded')).map(({ data }) => data.resourceVersion),
      ).toEqual(['a', 'b', 'c \u0000 "\\ ü'])
      const [first] = events
      expect(first).toMatchObject({
        specversion: '1.0',
        source: `/tenants/${tenant}/streams/status`,
        tenantid: tenant,
        schemaversion: 1,
        actor: 'allocator',
        correlationid: 'the-story',
        causationid: 'obs',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      })
      expect(Date.parse(first!.recordedtime)).toBeGreaterThanOrEqual(before - 1)
      expect(new Set(events.map(({ id }) => id)).size).toBe(3)
      expect(await other.log.story(tenant, 'the-story')).toEqual(events)
      expect(await other.log.after(tenant, 0, 10)).toEqual(events)
      expect(await other.log.after(tenant, 1, 1)).toEqual([events[1]])
      expect(await other.log.head(tenant)).toBe(3)
      expect(await other.log.tenants()).toContain(tenant)
    })

    test('what was never written is empty', async () => {
      const tenant = freshTenant()
      expect(await store.log.head(tenant)).toBe(0)
      expect(await store.log.story(tenant, 'x')).toEqual([])
      expect(await store.log.after(tenant, 0, 10)).toEqual([])
      expect(await store.log.tenants()).not.toContain(tenant)
    })

    test('a story holds only its own events, and every one', async () => {
      const tenant = freshTenant()
      const events = await history(store, tenant, 5)
      const third = events.filter(({ correlationid }) => correlationid === 's3')
      expect(third).toHaveLength(1)
      expect(await store.log.story(tenant, 's3')).toEqual(third)
    })

    test('a stream holds only its own events, of every story, by version', async () => {
      const [tenant, stream] = [freshTenant(), freshStream()]
      const append = (command: string, version: number, correlationId: string) =>
        recorded(
          store,
          request(tenant, command, {
            events: [fact(stream, version), fact(freshStream(), 0)],
            correlationId,
          }),
        )
      const first = await append('c1', 0, 's1')
      const second = await append('c2', 1, 's2')
      expect(await other.log.stream(tenant, stream)).toEqual([first[0], second[0]])
      expect(await other.log.stream(freshTenant(), stream)).toEqual([])
    })

    test('a decision on an old version is refused with the version that is', async () => {
      const tenant = freshTenant()
      const stream = freshStream()
      await recorded(store, request(tenant, 'c1', { events: [fact(stream, 0)] }))
      const late = request(tenant, 'c2', { events: [fact(freshStream(), 0), fact(stream, 0)] })
      expect(await other.log.append(late)).toEqual({ status: 'conflict', stream, actual: 1 })
      const early = request(tenant, 'c3', { events: [fact(stream, 2)] })
      expect(await other.log.append(early)).toEqual({ status: 'conflict', stream, actual: 1 })
      expect(await store.log.head(tenant)).toBe(1)
      await recorded(other, request(tenant, 'c2', { events: [fact(stream, 1)] }))
    })

    test('the same command again changes nothing and tells where its events are', async () => {
      const tenant = freshTenant()
      const stream = freshStream()
      await recorded(store, request(tenant, 'c0', { events: [fact(freshStream(), 0)] }))
      const asked = request(tenant, 'c1', { events: [fact(stream, 0), fact(stream, 0)] })
      await recorded(store, asked)
      expect(await other.log.append(asked)).toEqual({ status: 'repeated', from: 2, to: 3 })
      expect(await store.log.head(tenant)).toBe(3)
    })

    test('the same command twice at the same time is recorded once', async () => {
      const tenant = freshTenant()
      const asked = request(tenant, 'c1', { events: [fact(freshStream(), 0)] })
      const outcomes = await Promise.all([
        store.log.append(asked),
        store.log.append(asked),
        other.log.append(asked),
      ])
      expect(outcomes.map(({ status }) => status).sort()).toEqual([
        'appended',
        'repeated',
        'repeated',
      ])
      expect(await store.log.head(tenant)).toBe(1)
    })

    test('a decision that lost a race has the same event ids when it is made again', async () => {
      const [tenant, stream] = [freshTenant(), freshStream()]
      const [one] = await recorded(store, request(tenant, 'c1', { events: [fact(stream, 0)] }))
      const [two] = await recorded(store, request(tenant, 'c2', { events: [fact(stream, 1)] }))
      const other = freshTenant()
      const [third] = await recorded(store, request(other, 'c1', { events: [fact(stream, 0)] }))
      expect(one!.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5/)
      expect(new Set([one!.id, two!.id, third!.id]).size).toBe(3)
    })

    test('an event whose data breaks its schema is refused, and its neighbours are not', async () => {
      const tenant = freshTenant()
      const bad = fact(freshStream(), 0, 5 as unknown as string)
      const attempts = await Promise.allSettled([
        store.log.append(request(tenant, 'good', { events: [fact(freshStream(), 0)] })),
        store.log.append(request(tenant, 'bad', { events: [bad] })),
        store.log.append(request(tenant, 'fine', { events: [fact(freshStream(), 0)] })),
      ])
      expect(attempts.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(await store.log.head(tenant)).toBe(2)
    })

    test('one decision on two versions of a stream is a fault of ours', async () => {
      const stream = freshStream()
      const asked = request(freshTenant(), 'c', { events: [fact(stream, 0), fact(stream, 1)] })
      await expect(store.log.append(asked)).rejects.toBeInstanceOf(Bug)
    })

    test('two services append to one tenant at the same time: dense, gapless, each with its outcome', async () => {
      const tenant = freshTenant()
      const shared = freshStream()
      const each = 60
      const work = [store, other].flatMap((service, who) =>
        Array.from({ length: each }, (_, index) =>
          service.log.append(
            request(tenant, `c-${who}-${index}`, {
              // Every third fights for one stream: one of all wins each version.
              events: index % 3 === 0 ? [fact(shared, index / 3)] : [fact(freshStream(), 0)],
            }),
          ),
        ),
      )
      const outcomes = await Promise.all(work)
      const events = outcomes.flatMap((one) => (one.status === 'appended' ? one.events : []))
      const all = await store.log.after(tenant, 0, 1_000)
      expect(sequences(all)).toEqual(upTo(events.length))
      expect(sequences(events).toSorted((a, b) => a - b)).toEqual(upTo(events.length))
      expect(events.length).toBeGreaterThanOrEqual((each * 2 * 2) / 3)
      const versions = all.filter(({ subject: s }) => s === shared).map((e) => e.streamversion)
      expect(versions).toEqual(upTo(versions.length))
      const times = all.map(({ recordedtime }) => recordedtime)
      expect(times).toEqual(times.toSorted())
    })

    test('a reader never sees an event before all that are before it', async () => {
      const tenant = freshTenant()
      const writing = new AbortController()
      const reader = (async () => {
        const looks: (readonly number[])[] = []
        while (!writing.signal.aborted) {
          looks.push(sequences(await other.log.after(tenant, 0, 1_000)))
          await ports.clock.sleep(1)
        }
        return looks
      })()
      const writers = [store, other, await subject.open()]
      for (let round = 0; round < 25; round += 1) {
        await Promise.all(
          writers.map((writer) =>
            recorded(writer, request(tenant, fresh('c'), { events: [fact(freshStream(), 0)] })),
          ),
        )
      }
      writing.abort()
      for (const look of await reader) expect(look).toEqual(upTo(look.length))
      expect(await store.log.head(tenant)).toBe(75)
      await writers[2]!.close()
    })
  })
}
