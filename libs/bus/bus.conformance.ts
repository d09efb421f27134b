import { systemIds } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { lifetimes } from './bus-lifetimes.conformance.ts'
import { listen, newRoom, publishUntilSeen, valueOf } from './bus-probes.conformance.ts'
import { losses, type BusHarness, type Connect } from './bus-losses.conformance.ts'
import type { Bus } from './bus.ts'

/** What every bus promises; `start` gives a server of the suite's own. */
export const holdsTheBusPromises = (name: string, start: () => Promise<BusHarness>): void => {
  describe(name, () => {
    let harness: BusHarness
    beforeAll(async () => {
      harness = await start()
    })
    afterAll(() => harness.stop())
    const connect = async (): Promise<Bus> => {
      const bus = await harness.connect()
      onTestFinished(() => bus.close())
      return bus
    }
    publishing(connect)
    consuming(connect)
    closing(connect)
    lastValues(connect)
    lifetimes(connect, () => harness)
    hints(connect)
    losses(connect, () => harness)
  })
}

const publishing = (connect: Connect): void => {
  test('messages published together keep their order in the stream', async () => {
    const bus = await connect()
    const room = newRoom()
    const published = await bus.publish(room.messages(1_500))
    const sequences = published.map((message) => message.streamSequence)
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
    expect(new Set(sequences).size).toBe(1_500)
    expect(published.every((message) => !message.duplicate)).toBe(true)
  })

  test('the same id is stored once, and the second publisher is told', async () => {
    const bus = await connect()
    const room = newRoom()
    const message = { ...room.message('a'), id: systemIds.uuid() }
    const [first] = await bus.publish([message])
    const [second, other] = await bus.publish([message, room.message('b')])
    expect(first).toMatchObject({ duplicate: false })
    expect(second).toMatchObject({ duplicate: true, streamSequence: first!.streamSequence })
    expect(other).toMatchObject({ duplicate: false })
  })

  test('publishing nothing is done at once', async () => {
    const bus = await connect()
    expect(await bus.publish([])).toEqual([])
  })
}

const consuming = (connect: Connect): void => {
  test('a message arrives with its subject, body and headers', async () => {
    const bus = await connect()
    const room = newRoom()
    const seen = listen(bus, room)
    const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
    await publishUntilSeen(bus, seen, { ...room.message('hällo'), headers })
    expect(seen.messages[0]).toMatchObject({ subject: `${room.evt}.a`, body: 'hällo', headers })
    expect(seen.messages[0]).toMatchObject({ deliveries: 1 })
  })

  test('only subjects of the filter arrive, in order, in batches up to the size asked for', async () => {
    const bus = await connect()
    const room = newRoom()
    const batches: number[] = []
    const seen = listen(bus, room, { batch: 7, onBatch: (batch) => batches.push(batch.length) })
    await publishUntilSeen(bus, seen, room.message('first'))
    await bus.publish([...newRoom().messages(20), ...room.messages(100)])
    await eventually(() => seen.messages.length >= 101)
    expect(seen.bodies().slice(-100)).toEqual(room.messages(100).map((message) => message.body))
    expect(Math.max(...batches)).toBeLessThanOrEqual(7)
  })

  test('a batch whose handler rejects comes again', async () => {
    const bus = await connect()
    const room = newRoom()
    let refusals = 2
    const seen = listen(bus, room, {
      onBatch: () => {
        refusals -= 1
        if (refusals >= 0) throw new Error('not now')
      },
    })
    await seen.open()
    await bus.publish([room.message('stubborn')])
    await eventually(() => seen.messages.length === 1)
    expect(seen.messages[0]?.deliveries).toBe(3)
  })

  test('a durable goes on where it was, with what came in between', async () => {
    const bus = await connect()
    const room = newRoom()
    const before = listen(bus, room, { durable: room.name })
    await publishUntilSeen(bus, before, room.message('before'))
    await before.end()
    await bus.publish([room.message('between')])
    const after = listen(bus, room, { durable: room.name })
    await eventually(() => after.bodies().includes('between'))
    expect(after.bodies()).not.toContain('before')
  })

  test('two processes that share a durable split its messages', async () => {
    const [one, other] = [await connect(), await connect()]
    const room = newRoom()
    const slowly = { durable: room.name, batch: 5, pauseMs: 2 }
    const seen = [listen(one, room, slowly), listen(other, room, slowly)]
    await Promise.all(seen.map((side) => side.open()))
    await one.publish(room.messages(400))
    await eventually(() => seen[0]!.messages.length + seen[1]!.messages.length >= 400)
    expect(new Set(seen.flatMap((side) => side.bodies())).size).toBe(400)
    for (const side of seen) expect(side.messages.length).toBeGreaterThan(0)
  })

  test('an own consumer begins with the last value of each subject', async () => {
    const bus = await connect()
    const room = newRoom()
    await bus.publish([room.value('a', '1'), room.value('b', '1'), room.value('a', '2')])
    const seen = listen(bus, room, { stream: 'OBS', filter: `${room.obs}.>`, from: 'last-of-each' })
    await eventually(() => seen.messages.length === 2)
    expect(new Set(seen.messages.map(valueOf))).toEqual(new Set(['a=2', 'b=1']))
    await bus.publish([room.value('c', '1')])
    await eventually(() => seen.bodies().length === 3)
  })

  test('abort lets the batch in hand finish and then delivers nothing', async () => {
    const bus = await connect()
    const room = newRoom()
    const held = Promise.withResolvers<void>()
    let ended = false
    const seen = listen(bus, room, { durable: room.name, batch: 1, until: held.promise })
    await seen.open()
    await bus.publish([room.message('in hand'), room.message('next')])
    await eventually(() => seen.started() === 1)
    const end = seen.end().then(() => (ended = true))
    expect(ended).toBe(false)
    held.resolve()
    await end
    expect(seen.bodies()).toEqual(['in hand'])
    const next = listen(bus, room, { durable: room.name })
    await eventually(() => next.bodies().includes('next'))
    expect(next.bodies()).not.toContain('in hand')
  })
}

const closing = (connect: Connect): void => {
  test('closing a bus lets the batch in hand finish, and it does not come again', async () => {
    const [bus, other] = [await connect(), await connect()]
    const room = newRoom()
    const held = Promise.withResolvers<void>()
    const seen = listen(bus, room, { durable: room.name, until: held.promise })
    await seen.open()
    await bus.publish([room.message('in hand')])
    await eventually(() => seen.started() === 1)
    const closed = bus.close()
    held.resolve()
    await closed
    expect(seen.bodies()).toEqual(['in hand'])
    const next = listen(other, room, { durable: room.name })
    await next.open()
    expect(next.bodies()).not.toContain('in hand')
  })
}

const lastValues = (connect: Connect): void => {
  test('the last message on a subject is found, and none where there was none', async () => {
    const bus = await connect()
    const room = newRoom()
    await bus.publish([room.value('a', '1'), { ...room.value('a', '2'), headers: { epoch: '7' } }])
    const found = await bus.last('OBS', `${room.obs}.a`)
    expect(found).toMatchObject({ body: '2', headers: { epoch: '7' }, subject: `${room.obs}.a` })
    expect(await bus.last('OBS', `${room.obs}.b`)).toBeUndefined()
  })

  test('the last message of each of 1,500 subjects is read once, and an early end is clean', async () => {
    const bus = await connect()
    const room = newRoom()
    const subjects = Array.from({ length: 1_500 }, (_, index) => `k${index}`)
    await bus.publish(subjects.map((key) => room.value(key, 'old')))
    await bus.publish(subjects.map((key) => room.value(key, 'new')))
    const found: string[] = []
    for await (const message of bus.lastOfEach('OBS', `${room.obs}.>`)) found.push(valueOf(message))
    expect(found.sort()).toEqual(subjects.map((key) => `${key}=new`).sort())
    for await (const message of bus.lastOfEach('OBS', `${room.obs}.>`)) {
      expect(message.body).toBe('new')
      break
    }
    for await (const message of bus.lastOfEach('OBS', `${newRoom().obs}.>`)) {
      throw new Error(`nothing was published on ${message.subject}`)
    }
  })
}

const hints = (connect: Connect): void => {
  test('a hint reaches whoever listens, on a wildcard too, until it stops listening', async () => {
    const [sender, receiver] = [await connect(), await connect()]
    const room = newRoom()
    const heard: string[] = []
    const stop = new AbortController()
    receiver.onHint(`${room.hint}.*`, (body, at) => heard.push(`${at} ${body}`), stop.signal)
    await eventually(() => {
      sender.hint(`${room.hint}.3`, 'acme')
      return heard.length > 0
    })
    expect(heard[0]).toBe(`${room.hint}.3 acme`)
    stop.abort()
    const count = heard.length
    sender.hint(`${room.hint}.3`, 'acme')
    await receiver.last('OBS', `${room.obs}.none`)
    expect(heard.length).toBe(count)
  })

  test('a listener that fails at one hint hears the next', async () => {
    const [sender, receiver] = [await connect(), await connect()]
    const room = newRoom()
    const heard: string[] = []
    const stop = new AbortController()
    const fail = (body: string): void => {
      heard.push(body)
      throw new Error(`cannot take ${body}`)
    }
    receiver.onHint(`${room.hint}.*`, fail, stop.signal)
    for (const hint of ['first', 'second']) {
      await eventually(() => {
        sender.hint(`${room.hint}.3`, hint)
        return heard.includes(hint)
      })
    }
    stop.abort()
  })
}
