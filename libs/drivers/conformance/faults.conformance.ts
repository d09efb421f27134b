// A life with something going wrong at each of its calls in turn ends like one in which nothing does.
import { OperatingError } from '@weir/kernel'
import { expect } from 'vitest'
import {
  attempt,
  Crash,
  live,
  reach,
  chapters,
  type Disturbance,
  type Life,
} from './life.conformance.ts'
import type { Suite } from './suite.conformance.ts'
import { expectNothing, expectServing, kindsAt } from './world.conformance.ts'

/** A second try may find the world failing; that must do no harm and is nobody's business. */
const asWell = async (call: Promise<unknown>): Promise<void> => {
  await call.catch((error: unknown) => {
    if (!(error instanceof OperatingError)) throw error
  })
}

const disturbances: readonly (readonly [string, Disturbance])[] = [
  [
    'is made twice',
    async ({ driver, step }) => {
      const outcome = await driver.execute(step)
      await asWell(driver.execute(step))
      return outcome
    },
  ],
  [
    'is made twice at once',
    async ({ rig, driver, step }) => {
      const other = asWell(rig.another().execute(step))
      const outcome = await driver.execute(step)
      await other
      return outcome
    },
  ],
  [
    'fails before its effect',
    ({ rig, driver, step }) => {
      rig.failNext('before')
      return driver.execute(step)
    },
  ],
  [
    'loses its reply',
    ({ rig, driver, step }) => {
      rig.failNext('after')
      return driver.execute(step)
    },
  ],
  [
    'is the last before a crash',
    async ({ driver, step }) => {
      await driver.execute(step)
      throw new Crash()
    },
  ],
  [
    'is never made for a crash',
    () => {
      throw new Crash()
    },
  ],
  [
    'comes after another worker did it all',
    async ({ rig, driver, step, order }) => {
      await reach(rig, order, rig.another())
      return driver.execute(step)
    },
  ],
]

export const faults = ({ test, inRig }: Suite): void => {
  for (const [what, how] of disturbances) {
    test(`a life of which any one call ${what} ends the same`, async (count) => {
      const plain = await inRig(live)
      expect(plain.calls.length).toBeGreaterThan(2)
      for (const [at, title] of plain.calls.entries()) {
        const { kinds } = await naming(title, at, () => inRig((rig) => live(rig, { at, how })))
        expect(kinds, `things after each chapter, call ${at}: ${title}`).toEqual(plain.kinds)
      }
      count(plain.calls.length)
    })
  }

  test('two workers at once leave what one leaves', async () => {
    const plain = await inRig(live)
    await inRig(async (rig) => {
      const other = rig.another()
      const kinds: (readonly string[])[] = []
      for (const [order, ...served] of chapters(rig)) {
        await Promise.all([attempt(rig.driver, order), attempt(other, order)])
        expect(await Promise.all([reach(rig, order), reach(rig, order, other)])).toEqual([
          { status: 'done' },
          { status: 'done' },
        ])
        await rig.settle()
        await expectServing(rig, ...served)
        kinds.push(await kindsAt(rig))
      }
      expect(kinds).toEqual(plain.kinds)
      await expectNothing(rig)
    })
  })
}

/** Says which call it was when a life goes wrong. */
const naming = async (title: string, at: number, life: () => Promise<Life>): Promise<Life> => {
  try {
    return await life()
  } catch (error) {
    throw new Error(`disturbed at call ${at}: ${title}`, { cause: error })
  }
}
