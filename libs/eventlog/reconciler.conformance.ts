import type { RecordedEvent, TenantId } from '@weir/contract'
import { Bug, OperatingError, silentLogger, systemIds } from '@weir/kernel'
import { eventually, seeded } from '@weir/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Store, WorkItem } from './eventlog.ts'
import {
  fact,
  fresh,
  freshStream,
  freshTenant,
  history,
  nodesSeen,
  ports,
  recorded,
  request,
  type Subject,
} from './facts.conformance.ts'
import { createReconciler, type Reconciler, type ReconcilerOptions } from './reconciler.ts'

export const describeReconciler = (subject: Subject): void => {
  describe('reconciler', () => {
    let store: Store
    beforeAll(async () => {
      store = await subject.open()
    })
    afterAll(() => store.close())
    const running: { stop: AbortController; run: Promise<void> }[] = []
    const stopAll = async (): Promise<void> => {
      for (const { stop, run } of running.splice(0)) {
        stop.abort()
        await run.catch(() => undefined)
      }
    }
    afterEach(stopAll)
    const start = (reconciler: Reconciler): Promise<void> => {
      const stop = new AbortController()
      const run = reconciler.run(stop.signal)
      run.catch(() => undefined)
      running.push({ stop, run })
      return run
    }

    /** A reconciler that works on every story of one tenant and remembers what it did. */
    const make = (tenant: TenantId, rest: Partial<ReconcilerOptions> = {}) => {
      const worked: string[] = []
      const options: ReconcilerOptions = {
        consumer: fresh('k'),
        store,
        ...ports,
        logger: silentLogger,
        retry: { minMs: 20, maxMs: 100 },
        keysOf: (event) => (event.tenantid === tenant ? [event.correlationid] : []),
        reconcile: async (item) => void worked.push(item.key),
        ...rest,
      }
      return { reconciler: createReconciler(options), worked, consumer: options.consumer }
    }
    const isCaughtUp = async (consumer: string, tenant: TenantId): Promise<boolean> =>
      !(await store.work.lagging(consumer)).some((lag) => lag.tenant === tenant)
    const deliverFrom = (reconciler: Reconciler, events: readonly RecordedEvent[]) =>
      Promise.all(events.map((event) => reconciler.deliver([event])))

    test('an event delivered is worked on in this process without any pass', async () => {
      const tenant = freshTenant()
      const { reconciler, worked, consumer } = make(tenant)
      await reconciler.deliver(await history(store, tenant, 3))
      expect(await isCaughtUp(consumer, tenant)).toBe(true)
      await eventually(() => worked.length === 3)
      expect(worked.toSorted()).toEqual(['s1', 's2', 's3'])
      await eventually(() => reconciler.health().counts.done === 3)
      const left = { consumer, worker: 'x', limit: 10, leaseMs: 1 }
      expect(await store.work.claim(left)).toEqual([])
    })

    test('what the bus drops, repeats and shuffles is worked on all the same', async () => {
      const tenant = freshTenant()
      const { random, below } = seeded()
      const { reconciler, worked, consumer } = make(tenant)
      const events = await history(store, tenant, 60)
      const arriving = events
        .filter(() => random() < 0.7)
        .flatMap((event) => (random() < 0.3 ? [event, event] : [event]))
        .map((event) => ({ event, at: below(1_000) }))
        .sort((a, b) => a.at - b.at)
        .map(({ event }) => event)
      void start(reconciler)
      await deliverFrom(reconciler, arriving)
      await eventually(() => new Set(worked).size === 60)
      expect(await isCaughtUp(consumer, tenant)).toBe(true)
    })

    test('without any bus the log is read within a pass or two', async () => {
      const tenant = freshTenant()
      const { reconciler, worked } = make(tenant, { passMs: 100 })
      void start(reconciler)
      await history(store, tenant, 20)
      await eventually(() => new Set(worked).size === 20)
    })

    test('an event that came before is dropped without work', async () => {
      const tenant = freshTenant()
      const { reconciler, worked } = make(tenant)
      const events = await history(store, tenant, 4)
      await reconciler.deliver(events)
      await eventually(() => worked.length === 4)
      await reconciler.deliver(events.toReversed())
      expect(reconciler.health().counts).toMatchObject({ duplicates: 4, ingested: 4 })
      expect(worked).toHaveLength(4)
    })

    test('a key is never in work twice at a time, and what happens meanwhile is not missed', async () => {
      const tenant = freshTenant()
      let inWork = 0
      let most = 0
      const heads: number[] = []
      const { reconciler } = make(tenant, {
        keysOf: (event) => (event.tenantid === tenant ? ['all'] : []),
        reconcile: async () => {
          inWork += 1
          most = Math.max(most, inWork)
          const head = await store.log.head(tenant)
          await ports.clock.sleep(3)
          heads.push(head)
          inWork -= 1
        },
      })
      const events = await history(store, tenant, 20)
      for (const event of events) {
        await reconciler.deliver([event])
        await ports.clock.sleep(1)
      }
      const last = await recorded(
        store,
        request(tenant, 'last', { events: [fact(freshStream(), 0)] }),
      )
      await reconciler.deliver(last)
      await eventually(() => heads.at(-1) === 21 && inWork === 0)
      expect(most).toBe(1)
      expect(heads.length).toBeLessThan(21)
    })

    test('no more keys are in work than may be, and deliver holds back while many wait', async () => {
      const tenant = freshTenant()
      let inWork = 0
      let most = 0
      let done = 0
      const gate = Promise.withResolvers<void>()
      const { reconciler } = make(tenant, {
        concurrency: 4,
        reconcile: async () => {
          inWork += 1
          most = Math.max(most, inWork)
          await gate.promise
          inWork -= 1
          done += 1
        },
      })
      const delivered = reconciler.deliver(await history(store, tenant, 40))
      await eventually(() => inWork === 4)
      let resolved = false
      void delivered.then(() => (resolved = true))
      await ports.clock.sleep(20)
      expect(resolved).toBe(false)
      gate.resolve()
      await delivered
      await eventually(() => done === 40)
      expect(most).toBe(4)
    })

    test('a key that fails comes back with a growing wait while others go on', async () => {
      const tenant = freshTenant()
      const attempts: number[] = []
      const others: string[] = []
      const { reconciler, consumer } = make(tenant, {
        reconcile: async ({ key, attempts: failed }: WorkItem) => {
          if (key !== 's1') return void others.push(key)
          attempts.push(failed)
          if (failed < 3) throw new OperatingError('no answer')
        },
      })
      void start(reconciler)
      await reconciler.deliver(await history(store, tenant, 3))
      await eventually(() => attempts.length === 4)
      expect(attempts).toEqual([0, 1, 2, 3])
      expect(others.toSorted()).toEqual(['s2', 's3'])
      await eventually(async () => (await store.work.stuck(consumer, 1)).length === 0)
    })

    test('a failure that says when to come back is believed', async () => {
      const tenant = freshTenant()
      const at: number[] = []
      const { reconciler } = make(tenant, {
        retry: { minMs: 60_000, maxMs: 60_000 },
        reconcile: async () => {
          at.push(ports.clock.now())
          if (at.length === 1) throw new OperatingError('locked', { retry: { afterMs: 40 } })
        },
      })
      void start(reconciler)
      await reconciler.deliver(await history(store, tenant, 1))
      await eventually(() => at.length === 2)
      expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(38)
    })

    test('a key that asks to come back does', async () => {
      const tenant = freshTenant()
      let times = 0
      const { reconciler } = make(tenant, {
        reconcile: async () => {
          times += 1
          return times < 3 ? { againInMs: 10 } : {}
        },
      })
      void start(reconciler)
      await reconciler.deliver(await history(store, tenant, 1))
      await eventually(() => times === 3)
    })

    test('what a dead process had in work is taken up by another', async () => {
      const tenant = freshTenant()
      const consumer = fresh('k')
      const dead = make(tenant, { consumer, leaseMs: 50, reconcile: () => new Promise(() => {}) })
      await dead.reconciler.deliver(await history(store, tenant, 2))
      await eventually(() => dead.reconciler.health().active === 2)
      const alive = make(tenant, { consumer, passMs: 30 })
      void start(alive.reconciler)
      await eventually(() => new Set(alive.worked).size === 2)
    })

    test('two processes share the work and neither misses anything', async () => {
      const tenant = freshTenant()
      const consumer = fresh('k')
      const seen = new Set<string>()
      const second = await subject.open()
      const both = [store, second].map((own) =>
        make(tenant, {
          consumer,
          store: own,
          passMs: 100,
          reconcile: async ({ key }) => void seen.add(key),
        }),
      )
      for (const { reconciler } of both) void start(reconciler)
      const events = await history(store, tenant, 40)
      await Promise.all(events.map((event, index) => both[index % 2]!.reconciler.deliver([event])))
      await eventually(() => seen.size === 40)
      await eventually(() => isCaughtUp(consumer, tenant))
      await stopAll()
      await second.close()
    })

    test('an observation that changes something is worked on; one that does not is not', async () => {
      const tenant = freshTenant()
      const { reconciler, worked } = make(tenant)
      const seen = nodesSeen(tenant, systemIds.uuid())
      await reconciler.observe([{ seen, keys: ['a', 'b'] }])
      await eventually(() => worked.length === 2)
      await reconciler.observe([{ seen: { ...seen, order: 2 }, keys: ['a', 'b'] }])
      await reconciler.observe([{ seen: nodesSeen(tenant, systemIds.uuid()), keys: ['c'] }])
      await eventually(() => worked.length === 3)
      expect(worked.toSorted()).toEqual(['a', 'b', 'c'])
    })

    test('a broken invariant ends run', async () => {
      const tenant = freshTenant()
      const { reconciler } = make(tenant, {
        reconcile: () => Promise.reject(new Bug('impossible')),
      })
      const run = start(reconciler)
      await reconciler.deliver(await history(store, tenant, 1))
      await expect(run).rejects.toThrow('impossible')
    })

    test('a store that is away for a while loses nothing', async () => {
      const tenant = freshTenant()
      let away = true
      const shaky = <T extends object>(part: T): T =>
        new Proxy(part, {
          get: (target, name) => {
            const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>
            return (...args: unknown[]) =>
              away
                ? Promise.reject(new OperatingError('away', { retry: { afterMs: 1 } }))
                : method(...args)
          },
        })
      const { reconciler, worked } = make(tenant, {
        passMs: 30,
        store: { log: shaky(store.log), work: shaky(store.work), observed: shaky(store.observed) },
      })
      void start(reconciler)
      const events = await history(store, tenant, 5)
      await expect(reconciler.deliver(events)).rejects.toThrow('away')
      away = false
      await eventually(() => new Set(worked).size === 5)
    })

    test('when it stops, what runs ends first', async () => {
      const tenant = freshTenant()
      let ended = false
      const { reconciler } = make(tenant, {
        reconcile: async () => {
          await ports.clock.sleep(30)
          ended = true
        },
      })
      const stop = new AbortController()
      const run = reconciler.run(stop.signal)
      await reconciler.deliver(await history(store, tenant, 1))
      await eventually(() => reconciler.health().active === 1)
      stop.abort()
      await run
      expect(ended).toBe(true)
    })
  })
}
