import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { testNats } from '@weir/testing'
import { holdsTheBusPromises, type BusHarness } from './bus.conformance.ts'
import { connectBus } from './connect-bus.ts'

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
    connect: () =>
      connectBus({
        url: server.url,
        name: 'conformance',
        clock: systemClock,
        ids: systemIds,
        logger: silentLogger,
      }),
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
