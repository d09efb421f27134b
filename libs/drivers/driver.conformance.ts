import { desiredHash, type DesiredResource, type OwnershipMarks } from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { describe, expect, test } from 'vitest'
import { remove, serve } from './carry-out.ts'
import type { Driver, InventoryItem, Outcome } from './driver.ts'
import { desiredOf } from './sample-desired.ts'

/** A driver with its provider, as the suite needs them. */
export interface DriverRig {
  readonly driver: Driver
  /** Lets the provider finish what it was told. */
  settle(): Promise<void>
  /** What exists at the provider. */
  world(): readonly DesiredResource[]
  /** Makes this exist without the driver. */
  plant(desired: DesiredResource): Promise<void>
  /** The driver's next mutating call fails, before or after its effect. */
  failNext(when: 'before' | 'after'): void
}

/** Every driver keeps the promises of `Driver`; run this on each. */
export const testDriver = (name: string, make: () => Promise<DriverRig>): void => {
  describe(`driver ${name}`, () => {
    lives(make)
    faults(make)
    owners(make)
  })
}

const there = (rig: DriverRig) =>
  rig
    .world()
    .map((desired) => `${desired.marks.epoch}/${desired.generation} ${desiredHash(desired)}`)
const as = (desired: DesiredResource) =>
  `${desired.marks.epoch}/${desired.generation} ${desiredHash(desired)}`

const bringUp = async (rig: DriverRig, desired: DesiredResource): Promise<void> => {
  const outcome = await serve(rig.driver, desired)
  expect(['done', 'pending']).toContain(outcome.status)
  await rig.settle()
}

const takeDown = async (rig: DriverRig, marks: OwnershipMarks): Promise<void> => {
  await remove(rig.driver, marks)
  await rig.settle()
}

const listAll = async (driver: Driver): Promise<readonly InventoryItem[]> => {
  const items: InventoryItem[] = []
  for (let next: string | undefined, pages = 0; pages < 100; pages += 1) {
    const page = await driver.inventory(next)
    items.push(...page.resources)
    next = page.next
    if (next === undefined) return items
  }
  throw new Error('the inventory has no end')
}

const changes: readonly (readonly [string, Parameters<typeof desiredOf>[1]])[] = [
  ['a frontend', { frontends: [frontendAt(81)] }],
  ['two frontends', { frontends: [frontendAt(80), frontendAt(81)] }],
  ['the targets', { targets: [] }],
  ['a weight', { targets: [{ node: 'a', ip: '127.0.0.11' as never, weight: 3 }] }],
  ['the policy', { policy: 'Local' }],
  ['the health check', { health: health(31_000) }],
  ['source ranges', { sourceRanges: ['10.0.0.0/8' as never] }],
  ['affinity', { affinity: { kind: 'ClientIP', timeoutSeconds: 60 } }],
  ['the PROXY protocol', { proxyProtocol: 'v2' }],
]

function frontendAt(port: number): DesiredResource['frontends'][number] {
  return { ip: '127.1.0.1', protocol: 'TCP', port, nodePort: 30_080 } as never
}
function health(port: number): DesiredResource['health'] {
  return { port: port as never, path: '/healthz', weightFromHeader: true }
}

const lives = (make: () => Promise<DriverRig>): void => {
  test('makes, is ready with its ingress, and removes', async () => {
    const rig = await make()
    const desired = desiredOf()
    await bringUp(rig, desired)
    expect(await rig.driver.observe(desired.marks)).toMatchObject({
      status: 'present',
      ready: true,
      generation: 1,
      hash: desiredHash(desired),
      ingress: [{ ip: '127.1.0.1', ipMode: rig.driver.capabilities.ipMode }],
    })
    await takeDown(rig, desired.marks)
    expect(rig.world()).toEqual([])
    const seen = await rig.driver.observe(desired.marks)
    expect(seen.status).toBe('absent')
  })

  for (const [what, over] of changes) {
    test(`changes ${what}`, async () => {
      const rig = await make()
      await bringUp(rig, desiredOf())
      const next = desiredOf(1, { ...over, generation: 2 })
      await bringUp(rig, next)
      expect(there(rig)).toEqual([as(next)])
      expect(await rig.driver.observe(next.marks)).toMatchObject({ ready: true, generation: 2 })
    })
  }

  test('is told of a change', async () => {
    const rig = await make()
    const heard: string[] = []
    rig.driver.onChange(({ service }) => heard.push(service), AbortSignal.timeout(60_000))
    const desired = desiredOf()
    await bringUp(rig, desired)
    expect(heard).toContain(desired.marks.service)
  })

  test('removing what is absent is done', async () => {
    const rig = await make()
    const { marks } = desiredOf()
    await takeDown(rig, marks)
    await takeDown(rig, marks)
    expect((await remove(rig.driver, marks)).status).toBe('done')
  })

  test('leaves its argument as it was', async () => {
    const rig = await make()
    const desired = desiredOf()
    const before = structuredClone(desired)
    await bringUp(rig, desired)
    expect(desired).toEqual(before)
  })
}

const steps: readonly (readonly [string, (rig: DriverRig) => Promise<Outcome>])[] = [
  ['create', (rig) => serve(rig.driver, desiredOf())],
  ['change', (rig) => serve(rig.driver, desiredOf(1, { generation: 2, targets: [] }))],
  ['delete', (rig) => remove(rig.driver, desiredOf().marks)],
  ['create anew', (rig) => serve(rig.driver, desiredOf(1, { epoch: 2 }))],
]

const faults = (make: () => Promise<DriverRig>): void => {
  test.for(steps.map((_, index) => index))('step %i repeated changes nothing', async (repeated) => {
    const rig = await make()
    const after: (readonly string[])[] = []
    for (const [index, [, step]] of steps.entries()) {
      await step(rig)
      await rig.settle()
      after.push(there(rig))
      if (index !== repeated) continue
      await Promise.all([step(rig), step(rig)])
      await rig.settle()
      after.push(there(rig))
    }
    expect(after[repeated + 1]).toEqual(after[repeated])
    expect(after.at(-1)).toEqual([as(desiredOf(1, { epoch: 2 }))])
  })

  for (const when of ['before', 'after'] as const) {
    test.for(steps.map((_, index) => index))(
      `step %i that fails ${when} its effect is done by doing it again`,
      async (failing) => {
        const rig = await make()
        const failures: unknown[] = []
        for (const [index, [, step]] of steps.entries()) {
          if (index === failing) {
            rig.failNext(when)
            await step(rig).catch((error: unknown) => failures.push(error))
            await rig.settle()
          }
          await step(rig)
          await rig.settle()
        }
        expect(failures).toEqual([expect.any(OperatingError)])
        expect(there(rig)).toEqual([as(desiredOf(1, { epoch: 2 }))])
      },
    )
  }

  test('two workers at once leave one resource', async () => {
    const rig = await make()
    await Promise.all([serve(rig.driver, desiredOf()), serve(rig.driver, desiredOf())])
    await rig.settle()
    expect(there(rig)).toEqual([as(desiredOf())])
  })

  test('refuses an order that is older than what it has', async () => {
    const rig = await make()
    const newest = desiredOf(1, { epoch: 2, generation: 3 })
    await bringUp(rig, newest)
    const older = desiredOf(1, { epoch: 2, generation: 2, targets: [] })
    expect(await serve(rig.driver, older)).toMatchObject({ status: 'superseded', generation: 3 })
    const earlier = desiredOf(1, { epoch: 1, generation: 9 })
    expect(await serve(rig.driver, earlier)).toMatchObject({ status: 'superseded', epoch: 2 })
    await rig.settle()
    expect(there(rig)).toEqual([as(newest)])
  })

  test('a late delete of one incarnation leaves the next alone', async () => {
    const rig = await make()
    const next = desiredOf(1, { epoch: 2 })
    await bringUp(rig, next)
    await takeDown(rig, desiredOf().marks)
    expect(there(rig)).toEqual([as(next)])
    expect(await rig.driver.observe(next.marks)).toMatchObject({ ready: true, generation: 1 })
  })
}

const owners = (make: () => Promise<DriverRig>): void => {
  test('an inventory lists everything with its marks, page by page', async () => {
    const rig = await make()
    for (const number of [1, 2, 3, 4, 5]) await bringUp(rig, desiredOf(number))
    const left = desiredOf(9)
    await rig.plant(left)
    const marks = (await listAll(rig.driver)).map((item) => item.marks)
    expect(marks).toHaveLength(6)
    expect(marks).toContainEqual(left.marks)
    await takeDown(rig, left.marks)
    expect(await listAll(rig.driver)).toHaveLength(5)
  })

  test('what carries other marks is never touched', async () => {
    const rig = await make()
    const theirs = desiredOf(1, { installation: 'theirs' })
    await rig.plant(theirs)
    expect(await serve(rig.driver, desiredOf())).toMatchObject({ capability: 'ownership' })
    expect((await serve(rig.driver, theirs)).status).toBe('refused')
    await takeDown(rig, desiredOf().marks)
    await takeDown(rig, theirs.marks)
    expect(there(rig)).toEqual([as(theirs)])
    expect(await serve(rig.driver, desiredOf())).toMatchObject({ capability: 'ownership' })
  })

  test('what it cannot do is refused by name, and nothing is made', async () => {
    const rig = await make()
    const sctp = desiredOf(1, { frontends: [{ ...frontendAt(80), protocol: 'SCTP' }] })
    expect(await serve(rig.driver, sctp)).toMatchObject({
      status: 'refused',
      capability: 'protocols',
    })
    await rig.settle()
    expect(rig.world()).toEqual([])
    expect(await listAll(rig.driver)).toEqual([])
  })
}
