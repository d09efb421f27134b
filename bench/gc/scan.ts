// The measured process: gc's own code on a real log and the synthetic provider, and nothing else.
import { event, platformTenant, streamOf } from '@weir/contract'
import { createLogFollower } from '@weir/drivers'
import { openStore } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { createCollector, type Cycle } from '../../services/gc/handle.ts'
import { createSyntheticProvider, installation, synthetic } from './provider.ts'

const [url = '', count = '0', perSecond = '0'] = process.argv.slice(2)
const burst = Math.ceil(Number(perSecond) / 10)
const clock = systemClock
const megabytes = (): number => Math.round(process.memoryUsage.rss() / 1e6)

const store = await openStore({ url, clock, ids: systemIds, logger: silentLogger })
const rate = { perSecond: Number(perSecond), burst }
const provider = createSyntheticProvider(Number(count), rate, clock)
const collector = createCollector({
  store,
  drivers: new Map([[synthetic, provider.driver]]),
  follower: createLogFollower(store.log),
  installation,
  clock,
  logger: silentLogger,
  holder: 'bench',
  intervalMs: 60_000,
  apartMs: 1000,
  deletesPerSecond: 1000,
  rules: {
    settleMs: 0,
    graceMs: 1000,
    atMost: 100_000,
    atMostShare: 1,
    breakerAtLeast: 100_000,
    breakerShare: 1,
  },
})

const phases: object[] = []
const measure = async (name: string, work: () => Promise<readonly Cycle[]>): Promise<void> => {
  const before = megabytes()
  const cpu = process.cpuUsage()
  let peak = before
  const sampling = setInterval(() => (peak = Math.max(peak, megabytes())), 20)
  const began = performance.now()
  const [cycle] = await work()
  const seconds = (performance.now() - began) / 1000
  clearInterval(sampling)
  const after = megabytes()
  const { user, system } = process.cpuUsage(cpu)
  globalThis.gc?.()
  const live = Math.round(process.memoryUsage().heapUsed / 1e6)
  const { listed = 0 } = cycle?.report ?? {}
  const { condemned = 0, removed = [], held = [] } = cycle ?? {}
  phases.push({
    name,
    seconds,
    processor: (user + system) / 1e6,
    live,
    rss: { before, peak: Math.max(peak, after), after },
    listed,
    condemned,
    removed: removed.length,
    held,
    left: provider.left(),
  })
}

await measure('first scan', () => collector.cycle())
await measure('second scan', () => collector.cycle())
await store.log.append({
  tenant: platformTenant,
  commandId: 'bench/approve',
  events: [
    { stream: streamOf('cleanup', 'all'), expectedVersion: 0, event: event('CleanupApproved', {}) },
  ],
  actor: 'bench',
  correlationId: 'cleanup',
  causationId: 'bench',
})
await clock.sleep(1100)
await measure('deletes', () => collector.cycle())
await measure('first read', () => collector.cycle())
await clock.sleep(1100)
await measure('second read', () => collector.cycle())
await store.close()
const { deletedAt } = provider
process.stdout.write(
  JSON.stringify({ phases, deletedAt, refusals: provider.refusals(), rate }) + '\n',
)
