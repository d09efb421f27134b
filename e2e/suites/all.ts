import type { MiniclusterKind } from '@weir/minicluster'
import { afterAll, beforeAll, describe } from 'vitest'
import { startPlatform, type Platform } from '../harness/platform.ts'
import { walkOn } from '../harness/walk.ts'
import { pageWalk } from './page-walk.ts'

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
    })
  })
}
