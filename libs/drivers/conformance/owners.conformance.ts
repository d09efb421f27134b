// Whose is what: everything of ours is listed and marked, and nothing of others is ever touched.
import { expect } from 'vitest'
import { attempt, bringUp, reach, removing, serving, takeDown } from './life.conformance.ts'
import type { DriverRig, Thing } from './rig.conformance.ts'
import type { Suite } from './suite.conformance.ts'
import { everything } from './wishes.conformance.ts'
import { expectServing, kindsAt, listAll, listOurs } from './world.conformance.ts'

export const owners = (suite: Suite): void => {
  inventories(suite)
  others(suite)
  tags(suite)
}

const inventories = ({ test, inRig }: Suite): void => {
  test('an inventory lists every thing once, with its marks, page by page', () =>
    inRig(async (rig) => {
      const numbers = [1, 2, 3, 4, 5]
      for (const number of numbers) await bringUp(rig, rig.sample(number))
      await rig.plant(rig.sample(6), 'half')
      const listed = await listAll(rig.driver)
      const refs = (things: readonly Thing[]) =>
        things
          .filter(({ marks }) => marks !== null)
          .map(({ kind, ref, marks }) => `${kind} ${ref} ${JSON.stringify(marks)}`)
          .toSorted()
      expect(refs(listed)).toEqual(refs(await rig.things()))
      expect(new Set(listed.map(({ ref }) => ref)).size).toBe(listed.length)
      const services = new Set(listed.map(({ marks }) => marks?.service))
      expect(services).toEqual(new Set([...numbers, 6].map((n) => rig.sample(n).marks.service)))
    }))

  test('nothing of ours is unmarked, at any moment', () =>
    inRig(async (rig) => {
      const orders = [
        serving(rig.sample()),
        serving(rig.sample(1, { ...everything(rig), generation: 2 })),
        removing(rig.sample().marks),
      ]
      for (const order of orders) {
        for (let round = 0; round < 40; round += 1) {
          const { status } = await attempt(rig.driver, order)
          for (const { marks } of await rig.things()) expect(marks).toEqual(rig.sample().marks)
          if (status === 'done') break
          await rig.settle()
        }
      }
    }))
}

/** Does everything that might touch a resource of ours with the same key as `theirs`. */
const provoke = async (rig: DriverRig): Promise<void> => {
  const changed = rig.sample(1, { ...everything(rig), generation: 2 })
  for (const order of [serving(rig.sample()), serving(changed), removing(changed.marks)]) {
    const { status } = await reach(rig, order)
    expect(['done', 'refused']).toContain(status)
    await rig.settle()
  }
}

const others = ({ test, inRig }: Suite): void => {
  for (const how of ['whole', 'half'] as const) {
    test(`what another installation left ${how} is never touched`, () =>
      inRig(async (rig) => {
        const theirs = rig.sample(1, { installation: 'theirs' })
        await rig.plant(theirs, how)
        await rig.settle()
        const before = await pictureOf(rig)
        expect(before.things.length).toBeGreaterThan(0)
        await provoke(rig)
        expect(await pictureOf(rig)).toEqual(before)
      }))
  }

  test("orders about another installation's resource are refused", (count) =>
    inRig(async (rig) => {
      const theirs = rig.sample(1, { installation: 'theirs' })
      await rig.plant(theirs, 'whole')
      await rig.settle()
      const before = await pictureOf(rig)
      const orders = [
        serving(theirs),
        serving({ ...theirs, generation: 2, targets: [] }),
        removing(theirs.marks),
      ]
      for (const order of orders) {
        expect(await reach(rig, order)).toMatchObject({ capability: 'ownership' })
        await rig.settle()
        expect(await pictureOf(rig)).toEqual(before)
      }
      count(orders.length)
    }))

  test("another installation's things are not released, whatever marks are said", (count) =>
    inRig(async (rig) => {
      const theirs = rig.sample(1, { installation: 'theirs' })
      await rig.plant(theirs, 'whole')
      await rig.settle()
      const before = await pictureOf(rig)
      for (const marks of [theirs.marks, rig.sample().marks]) {
        for (const { kind, ref } of before.things) {
          expect(await rig.driver.release({ kind, ref, marks })).toMatchObject({
            status: 'refused',
            capability: 'ownership',
          })
        }
      }
      await rig.settle()
      expect(await pictureOf(rig)).toEqual(before)
      count(2 * before.things.length)
    }))

  test('a release with marks of another incarnation or Service is refused', (count) =>
    inRig(async (rig) => {
      const desired = rig.sample()
      await bringUp(rig, desired)
      const before = await pictureOf(rig)
      const wrong = [rig.sample(2).marks, rig.sample(1, { epoch: 2 }).marks]
      for (const marks of wrong) {
        for (const { kind, ref } of await listOurs(rig.driver)) {
          const outcome = await rig.driver.release({ kind, ref, marks })
          expect(outcome).toMatchObject({ status: 'refused', capability: 'ownership' })
        }
      }
      await rig.settle()
      expect(await pictureOf(rig)).toEqual(before)
      count(2 * before.things.length)
    }))

  test('what was made by hand and carries no marks stays', () =>
    inRig(async (rig) => {
      const ref = await rig.plantUnmarked()
      const before = await pictureOf(rig)
      expect(before.things.find((thing) => thing.ref === ref)?.marks).toBeNull()
      await provoke(rig)
      for (const item of await listAll(rig.driver)) {
        if (item.ref === ref) expect(item.marks).toBeNull()
      }
      const { kind } = before.things.find((thing) => thing.ref === ref) ?? { kind: '' }
      const { marks } = rig.sample()
      expect(await rig.driver.release({ kind, ref, marks })).toMatchObject({
        status: 'refused',
        capability: 'ownership',
      })
      await rig.settle()
      expect(await pictureOf(rig)).toEqual(before)
    }))
}

/** What a provider has of others than us, and does for them. */
const pictureOf = async (rig: DriverRig) => ({
  things: byText(await rig.things()),
  serving: byText(await rig.serving()),
})
const byText = <T>(values: readonly T[]): readonly T[] =>
  values.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))

const tags = ({ options, test, inRig }: Suite): void => {
  if (!options.tags) return
  test('tags of others survive every update, and do not keep a thing from going', (count) =>
    inRig(async (rig) => {
      const desired = rig.sample()
      await bringUp(rig, desired)
      if (rig.tagByHand === undefined || rig.keepsTagByHand === undefined) {
        throw new Error('a rig of a provider with tags can put one')
      }
      await rig.tagByHand(desired.marks)
      const steps = [everything(rig), { targets: [] }, {}]
      for (const [index, over] of steps.entries()) {
        const next = rig.sample(1, { ...over, generation: index + 2 })
        await bringUp(rig, next)
        await expectServing(rig, next)
        expect(await rig.keepsTagByHand(desired.marks)).toBe(true)
      }
      await takeDown(rig, desired.marks)
      expect(await kindsAt(rig)).toEqual([])
      count(steps.length)
    }))
}
