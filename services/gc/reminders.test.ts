import { event, sharingGroup, streamOf, strayWork, type DomainEvent } from '@weir/contract'
import { createLogFollower } from '@weir/drivers'
import { createMemoryStore } from '@weir/eventlog'
import { silentLogger, systemIds, type Clock } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createReminders, type Left } from './reminders.ts'
import { desired } from './sample.ts'
import { absent, over, released, requested } from './world.ts'

const { tenant, cluster, service } = desired.marks
const minute = 60_000
const row = { scope: 'address', key: '198.51.100.1' } as const

const open = async () => {
  let now = Date.parse('2026-01-01T00:00:00Z')
  const clock: Clock = { now: () => now, sleep: async () => undefined }
  const store = createMemoryStore({ clock, ids: systemIds })
  const looks: Left[] = []
  const reminders = (holder = 'gc/1', observeOnly = false) =>
    createReminders({
      store,
      follower: createLogFollower(store.log),
      clock,
      logger: silentLogger,
      holder,
      everyMs: 5 * minute,
      onLook: (left) => looks.push(left),
      observeOnly,
    })
  const say = async (...events: readonly DomainEvent[]): Promise<void> => {
    for (const one of events) {
      const cleanup = one.type.startsWith('Cleanup')
      const stream = cleanup ? streamOf('cleanup', 'all') : streamOf('lb', service)
      const at = {
        tenant: cleanup ? ('platform' as never) : tenant,
        story: cleanup ? 'cleanup' : service,
      }
      const said = (await store.log.after(at.tenant, 0, 1000)).filter(
        (each) => each.subject === stream,
      )
      await store.log.append({
        tenant: at.tenant,
        commandId: `said/${stream}/${said.length}`,
        events: [{ stream, expectedVersion: said.length, event: one }],
        actor: 'test',
        correlationId: at.story,
        causationId: 'test',
      })
    }
  }
  const take = (holder: string = service) =>
    store.log.append({
      tenant,
      commandId: 'take',
      events: [],
      claims: [{ change: 'take', ...row, holder }],
      actor: 'test',
      correlationId: service,
      causationId: 'test',
    })
  const asked = async (consumer: string): Promise<readonly string[]> =>
    (await store.work.claim({ consumer, worker: 'w', limit: 10, leaseMs: 1 })).map(({ key }) => key)
  return { store, reminders, looks, say, take, asked, pass: (ms: number) => void (now += ms) }
}
const finalizerAdded = event('FinalizerAdded', { resourceVersion: '1' })
const approved = event('CleanupApproved', {})

test('the allocator is asked about a row whose holder is over, the watcher about a finalizer left ten minutes', async () => {
  const { reminders, looks, say, take, asked, pass } = await open()
  await say(approved, finalizerAdded, requested, released, absent, over)
  await take()
  const own = reminders()
  expect(await own.remind()).toBe(1)
  expect(looks).toEqual([{ rows: 1, finalizers: 0 }])
  expect(await asked('allocator')).toEqual([strayWork(row)])
  pass(11 * minute)
  expect(await own.remind()).toBe(2)
  expect(await asked('watcher')).toEqual([service])
})

test('nobody is asked about what has a reason', async () => {
  const { reminders, say, take, pass } = await open()
  await say(approved, finalizerAdded, requested)
  await take()
  pass(60 * minute)
  expect(await reminders().remind()).toBe(0)
})

test('a shared address has a reason while one of its group holds it, and none afterwards', async () => {
  const { reminders, say, take, pass } = await open()
  const group = sharingGroup.parse(`share-${'0'.repeat(32)}`)
  const at = { group, cluster, namespace: 'default', serviceUid: service, frontends: [] }
  const leases = [{ ip: row.key as never, pool: 'public' as never, group }]
  await say(approved, requested, event('SharingChanged', { ...at, leases }))
  await take(group)
  pass(60 * minute)
  const own = reminders()
  expect(await own.remind()).toBe(0)
  await say(event('SharingChanged', { ...at, leases: [] }))
  pass(60 * minute)
  expect(await own.remind()).toBe(1)
})

test.for([
  ['nobody has approved cleanup', [], false],
  ['the process only observes', [approved], true],
  [
    'the tenant is paused',
    [approved, event('CleanupPaused', { tenant, why: 'they said so' })],
    false,
  ],
] as const)('nobody is asked while %s', async ([, rules, observeOnly]) => {
  const { reminders, say, take } = await open()
  await say(...rules, requested, released, absent, over)
  await take()
  expect(await reminders('gc/1', observeOnly).remind()).toBe(0)
})

test('what an owner cannot mend is asked for less and less often', async () => {
  const { reminders, say, take, pass } = await open()
  await say(approved, requested, released, absent, over)
  await take()
  const own = reminders()
  const counts: number[] = []
  for (let look = 0; look < 8; look += 1) {
    counts.push(await own.remind())
    pass(5 * minute)
  }
  expect(counts).toEqual([1, 1, 0, 1, 0, 0, 0, 1])
})

test('one process at a time asks', async () => {
  const { reminders, say, take } = await open()
  await say(approved, requested, released, absent, over)
  await take()
  expect([await reminders('gc/1').remind(), await reminders('gc/2').remind()]).toEqual([1, 0])
})
