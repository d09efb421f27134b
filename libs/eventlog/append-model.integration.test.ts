import { streamOf, tenantId } from '@weir/contract'
import { silentLogger } from '@weir/kernel'
import { seeded, testDatabase, type TestDatabase } from '@weir/testing'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AppendOutcome, AppendRequest, ClaimChange, Store } from './eventlog.ts'
import { fact, fresh, ports, request } from './facts.conformance.ts'
import { createMemoryStore } from './memory-store.ts'
import { openStore } from './postgres-store.ts'

let database: TestDatabase
let postgres: Store
beforeAll(async () => {
  database = await testDatabase()
  postgres = await openStore({ url: database.url, ...ports, logger: silentLogger })
})
afterAll(async () => {
  await postgres.close()
  await database.drop()
})

/** One decision in small numbers, so that decisions collide often. */
interface Step {
  readonly tenant: number
  readonly command: number
  readonly events: readonly { readonly stream: number; readonly ahead: number }[]
  readonly claims: readonly {
    readonly key: number
    readonly holder: number
    readonly rest: number
  }[]
}

const step: fc.Arbitrary<Step> = fc.record({
  tenant: fc.nat(1),
  command: fc.nat(12),
  events: fc.array(
    fc.record({
      stream: fc.nat(2),
      // Mostly the version that is; now and then one that is not.
      ahead: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.integer({ min: -1, max: 1 })),
    }),
    { maxLength: 4 },
  ),
  claims: fc.uniqueArray(
    fc.record({
      key: fc.nat(2),
      holder: fc.nat(1),
      // Half an hour rests through the test; -1 is a take.
      rest: fc.constantFrom(-1, -1, 0, 1_800_000),
    }),
    { maxLength: 2, selector: ({ key }) => key },
  ),
})

const byRun =
  (run: string) =>
  (one: Step, versions: ReadonlyMap<string, number>): AppendRequest => {
    const tenant = tenantId.parse(`${run}-${one.tenant}`)
    const expected = new Map<number, number>()
    const events = one.events.map(({ stream, ahead }) => {
      const name = streamOf('status', `${run}-${stream}`)
      const now = versions.get(`${tenant} ${name}`) ?? 0
      if (!expected.has(stream)) expected.set(stream, Math.max(now + ahead, 0))
      return fact(name, expected.get(stream) ?? 0)
    })
    const claims = one.claims.map(({ key, holder, rest }): ClaimChange => {
      const common = { scope: 'address', key: `${run}-${key}`, holder: `lb${holder}` } as const
      return rest < 0
        ? { ...common, change: 'take' }
        : { ...common, change: 'release', restMs: rest }
    })
    return request(tenant, `c${one.command}`, { events, claims })
  }

/** What must agree between the two; the clocks need not. */
const essence = (outcome: AppendOutcome): unknown =>
  outcome.status === 'appended'
    ? outcome.events.map(({ time: _time, recordedtime: _recorded, ...rest }) => rest)
    : outcome

test('Postgres and the twin in memory answer the same to whatever is appended', async () => {
  const { seed } = seeded()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const run = fresh('m')
      const memory = createMemoryStore(ports)
      const versions = new Map<string, number>()
      const toRequest = byRun(run)
      for (const one of steps) {
        const asked = toRequest(one, versions)
        const [real, twin] = [await postgres.log.append(asked), await memory.log.append(asked)]
        expect(essence(real)).toEqual(essence(twin))
        if (real.status !== 'appended') continue
        for (const event of real.events) {
          versions.set(`${event.tenantid} ${event.subject}`, event.streamversion)
        }
      }
      const withoutTimes = async (store: Store) =>
        (await store.log.claims('address', run)).map(({ key, holder, lastHolder, tenant }) => ({
          key,
          holder,
          lastHolder,
          tenant,
        }))
      expect(await withoutTimes(postgres)).toEqual(await withoutTimes(memory))
    }),
    { seed, numRuns: 60 },
  )
})

test('a batch of decisions made at once ends as if they were made one after the other', async () => {
  const { seed } = seeded()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 20 }), async (steps) => {
      const run = fresh('m')
      const requests = steps.map((one) => byRun(run)({ ...one, tenant: 0 }, new Map()))
      const outcomes = await Promise.all(requests.map((asked) => postgres.log.append(asked)))
      const tenant = tenantId.parse(`${run}-0`)
      const all = await postgres.log.after(tenant, 0, 1_000)
      expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1))
      const events = outcomes.flatMap((one) => (one.status === 'appended' ? one.events : []))
      expect(events.toSorted((a, b) => a.sequence - b.sequence)).toEqual(all)
      const streams = Map.groupBy(all, ({ subject }) => subject)
      for (const own of streams.values()) {
        expect(own.map((e) => e.streamversion)).toEqual(own.map((_, index) => index + 1))
      }
      // Each command was recorded at most once, and a repetition points at its events.
      for (const outcome of outcomes) {
        if (outcome.status !== 'repeated') continue
        expect(outcome.to - outcome.from).toBeGreaterThanOrEqual(-1)
        expect(outcome.to).toBeLessThanOrEqual(all.length)
      }
    }),
    { seed, numRuns: 40 },
  )
})
