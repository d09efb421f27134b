import { openBackbone } from '@weir/backbone'
import { fleetsOf, openDrivers, type DriverRegistry } from '@weir/backbone/drivers'
import { installationId } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { run } from '@weir/runtime'
import { config } from './config.ts'
import { createFleetReader } from './fleet.ts'
import { createApi } from './server.ts'

await run({
  service: 'api',
  version: '0.1.0',
  config,
  start: async (context) => {
    const { clock, ids, log, signal } = context
    const settings = context.config
    const backbone = await openBackbone(context, 'api')
    const { store, bus } = backbone
    const installation = installationId.parse(settings.WEIR_INSTALLATION)
    const drivers = await openDrivers(context, backbone)
    const api = await createApi({
      store,
      clock,
      ids,
      signal,
      adminToken: settings.WEIR_ADMIN_TOKEN,
      masterKey: settings.WEIR_MASTER_KEY,
      drivers,
      fleet: createFleetReader({
        bus,
        clock,
        ids,
        log: store.log,
        drivers: drivers.drivers,
        unopened: () => unopenedOf(drivers),
        schemaProblem: () => store.schemaProblem(),
        fleets: async () => {
          await drivers.refresh()
          return fleetsOf(drivers)
        },
        installation,
        graceMs: settings.WEIR_GC_GRACE_SECONDS * 1000,
      }),
      onNews: backbone.onNews,
      onFailure: (fields, message) => log.error(fields, message),
    })
    const { WEIR_API_HOST: host, WEIR_API_PORT: port } = settings
    const at = await api.listen({ host, port }).catch((cause: unknown) => {
      throw new OperatingError(`cannot listen on ${host}:${port}; set WEIR_API_PORT`, { cause })
    })
    log.info({ at }, 'the API listens')
    return {
      stop: async () => {
        await api.close()
        await backbone.stop()
      },
    }
  },
})

/** Drivers of the log that this process cannot use, so that nothing of theirs is looked at. */
function unopenedOf({ known }: DriverRegistry) {
  return [...known.values()].flatMap(({ name, problem }) =>
    problem === null ? [] : [{ driver: name, problem }],
  )
}
