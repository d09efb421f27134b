// A whole service in a page: what run.integration.test.ts starts as a process, and the shape of a main.ts.
import { Bug, OperatingError } from '@weir/kernel'
import { z } from 'zod'
import { run } from './run.ts'
import { settings } from './settings.ts'

await run({
  service: 'fixture',
  version: '0.1.0',
  config: z.object({
    NATS_URL: settings.NATS_URL,
    WEIR_FLEET: settings.WEIR_FLEET,
    MODE: z
      .enum(['serve', 'bug', 'reject', 'world', 'slow-start', 'never-stop', 'throw'])
      .default('serve'),
  }),
  start: async ({ config, log, signal, clock, health, metrics, trace }) => {
    const served = metrics.counter<'kind'>({
      name: 'weir_fixture_total',
      help: 'Things',
      labels: ['kind'],
    })
    served.add(2, { kind: 'good' })
    metrics.stage('observe', 0.02)
    let broken: string | undefined
    health.add('switch', () => broken)
    process.on('SIGUSR2', () => (broken = 'switched off'))
    await trace.span('start', {}, async () =>
      log.info({ url: config.NATS_URL, fleet: config.WEIR_FLEET, token: 'hush' }, 'starting'),
    )
    if (config.MODE === 'bug') throw new Bug('an invariant is broken')
    if (config.MODE === 'world') throw new OperatingError('cannot reach the world')
    if (config.MODE === 'reject') void Promise.reject(new Error('nobody caught this'))
    if (config.MODE === 'throw') setTimeout(() => Reflect.apply(fail, undefined, []), 1)
    if (config.MODE === 'slow-start') await clock.sleep(60_000, signal)
    return {
      stop: async () => {
        log.info({}, 'the service stops')
        if (config.MODE === 'never-stop') await clock.sleep(60_000)
      },
    }
  },
})

function fail(): never {
  throw new TypeError('nobody caught this either')
}
