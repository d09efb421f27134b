import type { MiniclusterKind } from '@weir/minicluster'
import { afterAll, beforeAll, describe } from 'vitest'
import { startPlatform, type Platform } from '../harness/platform.ts'
import { walkOn } from '../harness/walk.ts'
import { busGarbage } from './bus-garbage.ts'
import { kubeconfigs } from './connect.ts'
import { demo } from './demo.ts'
import { killMatrix } from './kill-matrix.ts'
import { life } from './life.ts'
import { outage } from './outage.ts'
import { pagePolicies } from './page-policies.ts'
import { pagePromises } from './page-promises.ts'
import { pageWalk } from './page-walk.ts'
import { refusals } from './refusals.ts'
import { sharing } from './sharing.ts'

/** Every suite on one platform of a kind, as a user would start it. */
export const describePlatform = (kind: MiniclusterKind): void => {
  describe(`weir on a ${kind} cluster`, () => {
    let platform: Platform | undefined
    const shared = (): Platform => {
      if (platform) return platform
      throw new Error('the platform did not start')
    }
    beforeAll(async () => {
      platform = await startPlatform({ kind })
    })
    afterAll(() => platform?.stop())
    const walk = walkOn(shared)
    describe('the page', () => {
      pageWalk(walk)
      pagePolicies(walk)
      pagePromises(walk)
    })
    describe('one Service', () => {
      life(walk)
      sharing(walk)
      demo(shared)
    })
    describe('bad input', () => {
      refusals(walk)
      kubeconfigs(shared)
    })
    describe('faults', () => {
      outage(walk)
      killMatrix(walk)
      // Last, since what it leaves on the bus stays in gc's report.
      busGarbage(walk)
    })
  })
}
