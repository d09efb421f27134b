// Every effect of a cleanup meets each fault once: it fails before it happens, or its answer is lost after
// it did. What follows each time is a new process that knows nothing. In the end the orphan is gone, the
// log tells it once, and what lives beside it is as it was.
import { event, resourceKeyOf, serviceUid, streamOf, type DesiredResource } from '@weir/contract'
import type { Driver } from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import { OperatingError } from '@weir/kernel'
import { expect, test } from 'vitest'
import { desired } from './sample.ts'
import {
  createWorld,
  edge,
  enough,
  intended,
  released,
  requested,
  type World,
  type WorldOptions,
} from './world.ts'

const other = serviceUid.parse('33333333-3333-3333-3333-333333333333')
const living: DesiredResource = {
  ...desired,
  marks: { ...desired.marks, service: other, key: resourceKeyOf(edge, other) },
}

type When = 'before' | 'after'
interface Fault {
  readonly nth: number
  readonly when: When
}

/** Fails the nth effect, and every call after it: the process is dead then. */
const breaking = (fault: Fault | undefined) => {
  let count = 0
  let dead = false
  const effect = async <T>(work: () => Promise<T>): Promise<T> => {
    if (dead) throw new OperatingError('this process is gone')
    count += 1
    if (count !== fault?.nth) return work()
    dead = true
    if (fault.when === 'after') await work()
    throw new OperatingError(`broken ${fault.when} effect ${count}`)
  }
  const options: WorldOptions = {
    driver: (driver): Driver => ({
      ...driver,
      inventory: (cursor) => effect(() => driver.inventory(cursor)),
      release: (item) => effect(() => driver.release(item)),
      observe: (marks) => effect(() => driver.observe(marks)),
    }),
    store: (store): Store => ({
      ...store,
      log: { ...store.log, append: (request) => effect(() => store.log.append(request)) },
    }),
  }
  return { options, count: () => count }
}

const tellLiving = async ({ store, driver }: World): Promise<void> => {
  const { tenant, key } = living.marks
  const said = [
    [
      streamOf('lb', other),
      event('LoadBalancerRequested', { ...requested.data, serviceUid: other }),
    ],
    [
      streamOf('resource', key),
      event('ResourceIntended', { ...intended.data, key, desired: living }),
    ],
  ] as const
  for (const [stream, one] of said) {
    await store.log.append({
      tenant,
      commandId: `said/${stream}`,
      events: [{ stream, expectedVersion: 0, event: one }],
      actor: 'test',
      correlationId: other,
      causationId: 'test',
    })
  }
  driver.provider.plant(living)
}

/** Cleans up with one broken process, and then with whole ones. */
const cleanUp = async (fault: Fault | undefined) => {
  const world = await createWorld()
  await world.say(requested, intended, released)
  await tellLiving(world)
  world.driver.provider.plant(desired)
  const { options, count } = breaking(fault)
  const broken = world.collectorOf('broken', options)
  await world.scans(enough, broken)
  const effects = count()
  world.pass(200_000) // the lease of a dead process ends
  await world.scans(enough + 2, world.collectorOf('whole'))
  return { effects, left: world.driver.provider.world(), told: await world.told() }
}

const whole = await cleanUp(undefined)
const faults = Array.from({ length: whole.effects }, (_, at) => at + 1).flatMap((nth) =>
  (['before', 'after'] as const).map((when): Fault => ({ nth, when })),
)

test('a whole run has steps to break', () => {
  expect(faults.length).toBeGreaterThan(20)
  expect(whole.left).toEqual([living])
})

test.each(faults)('a process that ends $when effect $nth leaves nothing undone', async (fault) => {
  const { left, told } = await cleanUp(fault)
  expect(left).toEqual([living])
  expect(told).toEqual(whole.told)
})
