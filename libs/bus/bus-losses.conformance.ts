import { OperatingError } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { expect, test } from 'vitest'
import {
  listen,
  newRoom,
  publishUntilSeen,
  valueOf,
  watchRebuilt,
} from './bus-probes.conformance.ts'
import type { Bus } from './bus.ts'

/** A server that can be harmed, and connections to it. */
export interface BusHarness {
  /** One process's own connection. */
  connect(): Promise<Bus>
  /** The server crashes and comes back with what it has stored. */
  restart(): Promise<void>
  /** The server comes back without anything it had stored. */
  wipe(): Promise<void>
  /** The server goes away until `restart` or `wipe`. */
  kill(): Promise<void>
  loseConsumer(stream: string, durable: string): Promise<void>
  loseStream(stream: string): Promise<void>
  stop(): Promise<void>
}

/** Opens a connection that is closed when the test ends. */
export type Connect = () => Promise<Bus>

/** What every bus promises when it loses something. */
export const losses = (connect: Connect, harness: () => BusHarness): void => {
  test('a consumer goes on after it vanished from the server', async () => {
    const bus = await connect()
    const room = newRoom()
    const seen = listen(bus, room, { durable: room.name })
    await publishUntilSeen(bus, seen, room.message('before'))
    await harness().loseConsumer('EVT', room.name)
    await bus.publish([room.message('after')])
    await eventually(() => seen.bodies().includes('after'))
  })

  test('a vanished stream is made again, its consumers go on, and all processes are told once', async () => {
    const [bus, other] = [await connect(), await connect()]
    const room = newRoom()
    const rebuilt = [watchRebuilt(bus), watchRebuilt(other)]
    const seen = listen(bus, room, { durable: room.name })
    await publishUntilSeen(bus, seen, room.message('before'))
    await harness().loseStream('EVT')
    await bus.publish([room.message('after')])
    await eventually(() => seen.bodies().includes('after'))
    await eventually(() => rebuilt.every((times) => times.length > 0))
    await Promise.all([bus.ensureStreams(), other.ensureStreams()])
    expect(rebuilt).toEqual([[['EVT']], [['EVT']]])
  })

  test.each([
    ['its server crashes', async () => harness().restart()],
    ['its stream vanishes', async () => harness().loseStream('OBS')],
  ])('a read of last values that breaks off when %s says so in words', async (_, harm) => {
    const bus = await connect()
    const keys = Array.from({ length: 1200 }, (__, at) => `weir.obs.lost.${at}`)
    await bus.publish(keys.map((subject) => ({ subject, body: subject })))
    let count = 0
    const read = async (): Promise<void> => {
      for await (const { body } of bus.lastOfEach('OBS', 'weir.obs.lost.*')) {
        expect(body).toContain('weir.obs.lost')
        if (++count === 1) await harm()
      }
    }
    const outcome = await read().catch((error: unknown) => error)
    await bus.ensureStreams()
    if (outcome === undefined) expect(count).toBe(keys.length)
    else expect(outcome).toBeInstanceOf(OperatingError)
  })

  test('a crash of the server is survived: what was stored and what comes later arrives', async () => {
    const bus = await connect()
    const room = newRoom()
    const rebuilt = watchRebuilt(bus)
    const seen = listen(bus, room, { durable: room.name })
    const own = listen(bus, room)
    await publishUntilSeen(bus, seen, room.message('before'))
    await own.open()
    await harness().kill()
    await eventually(() => !bus.connected())
    await harness().restart()
    await eventually(() => bus.connected())
    await bus.publish([room.message('after')])
    await eventually(() => seen.bodies().includes('after') && own.bodies().includes('after'))
    expect(rebuilt).toEqual([])
  })

  test('what was acknowledged before, between and after three crashes arrives', async () => {
    const [bus, other] = [await connect(), await connect()]
    const room = newRoom()
    const shared = { durable: room.name, batch: 16 }
    const seen = [listen(bus, room, shared), listen(other, room, shared)]
    await Promise.all(seen.map((side) => side.open()))
    const crashed = new AbortController()
    const acknowledged: string[] = []
    const publishAlways = async (): Promise<void> => {
      for (let batch = 0; !crashed.signal.aborted; batch += 1) {
        const messages = [1, 2, 3].map((part) => room.message(`${batch}.${part}`))
        const stored = await bus.publish(messages).catch(() => [])
        if (stored.length > 0) acknowledged.push(...messages.map((message) => message.body))
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const publishing = publishAlways()
    for (let crash = 0; crash < 3; crash += 1) {
      const count = acknowledged.length
      await harness().kill()
      await harness().restart()
      await eventually(() => acknowledged.length > count + 30)
    }
    crashed.abort()
    await publishing
    const missing = (): string[] => {
      const bodies = new Set(seen.flatMap((side) => side.bodies()))
      return acknowledged.filter((body) => !bodies.has(body))
    }
    await eventually(() => missing().length === 0, { deadlineMs: 20_000 })
  })

  test('a store wiped while the server was down is noticed by all, once', async () => {
    const [bus, other] = [await connect(), await connect()]
    const room = newRoom()
    const rebuilt = [watchRebuilt(bus), watchRebuilt(other)]
    const seen = listen(bus, room, { durable: room.name })
    const filter = `${room.obs}.>`
    const values = listen(other, room, { stream: 'OBS', filter, from: 'last-of-each' })
    await publishUntilSeen(bus, seen, room.message('before'))
    await bus.publish([room.value('a', '1')])
    await harness().kill()
    await harness().wipe()
    await eventually(() => rebuilt.every((times) => times.length > 0))
    expect(rebuilt.map((times) => times.map((names) => [...names].sort()))).toEqual([
      [['EDGE', 'EVT', 'OBS']],
      [['EDGE', 'EVT', 'OBS']],
    ])
    expect(await bus.last('OBS', `${room.obs}.a`)).toBeUndefined()
    await bus.publish([room.message('after'), room.value('a', '2')])
    await eventually(() => seen.bodies().includes('after'))
    await eventually(() => values.messages.map(valueOf).includes('a=2'))
    await Promise.all([bus.ensureStreams(), other.ensureStreams()])
    expect(rebuilt.map((times) => times.length)).toEqual([1, 1])
  })

  test('publishing to a server that stays away fails with when to try again', async () => {
    const bus = await connect()
    await harness().kill()
    await eventually(() => !bus.connected())
    const failure = await bus.publish([newRoom().message('lost')]).catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'OperatingError', retry: { afterMs: 1_000 } })
    await harness().restart()
    await eventually(() => bus.connected())
  }, 60_000)
}
