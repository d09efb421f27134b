import { eventually } from '@weir/testing'
import { expect, test } from 'vitest'
import type { BusHarness, Connect } from './bus-losses.conformance.ts'
import { listen, newRoom, valueOf } from './bus-probes.conformance.ts'
import type { Bus } from './bus.ts'

/** The shortest lifetime there is. */
const brief = { ttlMs: 1_000 }

/** What every bus promises of values that are to be kept for a time only. */
export const lifetimes = (connect: Connect, harness: () => BusHarness): void => {
  test('a value is kept for its lifetime, rounded up to whole seconds, and then nowhere found', async () => {
    const bus = await connect()
    const room = newRoom()
    await bus.publish([{ ...room.value('a', '1'), ttlMs: 1_001 }, room.value('b', '1')])
    expect(await bus.last('OBS', `${room.obs}.a`)).toMatchObject({ body: '1', headers: {} })
    await eventually(async () => (await bus.last('OBS', `${room.obs}.a`)) === undefined)
    expect(await valuesIn(bus, `${room.obs}.>`)).toEqual(['b=1'])
    const filter = `${room.obs}.>`
    const seen = listen(bus, room, { stream: 'OBS', filter, from: 'last-of-each' })
    await eventually(() => seen.messages.length > 0)
    expect(seen.messages.map(valueOf)).toEqual(['b=1'])
  })

  test('a newer value without a lifetime stays, and one that ends brings no older back', async () => {
    const bus = await connect()
    const room = newRoom()
    await bus.publish([{ ...room.value('stays', '1'), ...brief }, room.value('stays', '2')])
    await bus.publish([room.value('ends', '1'), { ...room.value('ends', '2'), ...brief }])
    await eventually(async () => (await bus.last('OBS', `${room.obs}.ends`)) === undefined)
    expect(await valuesIn(bus, `${room.obs}.>`)).toEqual(['stays=2'])
  })

  test('a value published again lives anew from then on', async () => {
    const bus = await connect()
    const room = newRoom()
    await bus.publish([{ ...room.value('renewed', '1'), ...brief }])
    await bus.publish([{ ...room.value('once', '1'), ...brief }])
    await bus.publish([{ ...room.value('renewed', '1'), ttlMs: 60_000 }])
    await eventually(async () => (await bus.last('OBS', `${room.obs}.once`)) === undefined)
    expect(await valuesIn(bus, `${room.obs}.>`)).toEqual(['renewed=1'])
  })

  test('lifetimes end over a crash of the server', async () => {
    const bus = await connect()
    const room = newRoom()
    await bus.publish([{ ...room.value('a', '1'), ...brief }, room.value('b', '1')])
    await harness().kill()
    await eventually(() => !bus.connected())
    await harness().restart()
    await eventually(() => bus.connected())
    await eventually(async () => (await bus.last('OBS', `${room.obs}.a`)) === undefined)
    expect(await valuesIn(bus, `${room.obs}.>`)).toEqual(['b=1'])
  })

  test('a lifetime shorter than a second, or of an event, is refused', async () => {
    const bus = await connect()
    const room = newRoom()
    await expect(bus.publish([{ ...room.value('a', '1'), ttlMs: 999 }])).rejects.toThrow('999 ms')
    const failure = await bus.publish([{ ...room.message('a'), ...brief }]).catch((error) => error)
    expect(failure).toMatchObject({ name: 'OperatingError', retry: undefined })
  })
}

const valuesIn = async (bus: Bus, filter: string): Promise<readonly string[]> => {
  const found: string[] = []
  for await (const message of bus.lastOfEach('OBS', filter)) found.push(valueOf(message))
  return found.toSorted()
}
