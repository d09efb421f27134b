import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { eventually, testNats } from '@weir/testing'
import { expect, onTestFinished, test } from 'vitest'
import type { BusHarness } from './bus-losses.conformance.ts'
import { holdsTheBusPromises } from './bus.conformance.ts'
import type { Bus } from './bus.ts'
import { connectBus } from './connect-bus.ts'

const connectTo = (url: string, signal?: AbortSignal): Promise<Bus> =>
  connectBus({
    url,
    name: 'conformance',
    clock: systemClock,
    ids: systemIds,
    logger: silentLogger,
    ...(signal === undefined ? {} : { signal }),
  })

const startJetStream = async (): Promise<BusHarness> => {
  const server = await testNats()
  const withManager = async (
    work: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<unknown>,
  ): Promise<void> => {
    const nats = await connect({ servers: server.url })
    await work(await jetstreamManager(nats))
    await nats.close()
  }
  return {
    connect: () => connectTo(server.url),
    restart: () => server.restart(),
    wipe: () => server.wipe(),
    kill: () => server.kill(),
    loseConsumer: (stream, durable) =>
      withManager((manager) => manager.consumers.delete(stream, durable)),
    loseStream: (stream) => withManager((manager) => manager.streams.delete(stream)),
    stop: () => server.stop(),
  }
}

holdsTheBusPromises('the bus on JetStream', startJetStream)

test('a process that starts before its server waits, and is told that the streams are new', async () => {
  const server = await testNats()
  onTestFinished(() => server.stop())
  await server.kill()
  let connected: Bus | undefined
  const connecting = connectTo(server.url).then((bus) => (connected = bus))
  await server.restart()
  const bus = await connecting
  onTestFinished(() => bus.close())
  expect(connected?.connected()).toBe(true)
  const told: (readonly string[])[] = []
  bus.onRebuilt((names) => told.push(names), new AbortController().signal)
  await eventually(() => told.length > 0)
  expect(told).toEqual([['OBS', 'EVT', 'EDGE']])
})

test('streams from before there were lifetimes allow them after a connect, with what they hold', async () => {
  const server = await testNats()
  onTestFinished(() => server.stop())
  const nats = await connect({ servers: server.url })
  onTestFinished(() => nats.close())
  const manager = await jetstreamManager(nats)
  await manager.streams.add({ name: 'EDGE', subjects: ['weir.edge.>'], max_msgs_per_subject: 1 })
  const subject = 'weir.edge.local.order.old'
  nats.publish(subject, 'kept')
  const bus = await connectTo(server.url)
  onTestFinished(() => bus.close())
  expect((await manager.streams.info('EDGE')).config.allow_msg_ttl).toBe(true)
  expect(await bus.last('EDGE', subject)).toMatchObject({ body: 'kept' })
  await bus.publish([{ subject, body: 'brief', ttlMs: 1_000 }])
  await eventually(async () => (await bus.last('EDGE', subject)) === undefined)
})

test('a process that is stopped before its server answered ends its start', async () => {
  const server = await testNats()
  onTestFinished(() => server.stop())
  await server.kill()
  const stop = new AbortController()
  const connecting = connectTo(server.url, stop.signal)
  stop.abort()
  await expect(connecting).rejects.toThrow('stopped before the bus answered')
})
