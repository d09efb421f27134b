// Every driver keeps the promises of `Driver`: run this on each, on whatever stands for its provider. A rig
// is described in conformance/rig.conformance.ts.
import { describe, expect, test } from 'vitest'
import { changes } from './conformance/changes.conformance.ts'
import { faults } from './conformance/faults.conformance.ts'
import { late } from './conformance/late.conformance.ts'
import { owners } from './conformance/owners.conformance.ts'
import { removals } from './conformance/removals.conformance.ts'
import type { DriverRig, SuiteOptions } from './conformance/rig.conformance.ts'
import type { Suite } from './conformance/suite.conformance.ts'

export type { DriverRig, Serving, SuiteOptions, Thing } from './conformance/rig.conformance.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** How many cases the test holds, for `docs/conformance.md`. */
    cases?: number
  }
}

/** Runs the suite on the worlds that `make` makes: one for each life, with nothing in it. */
export const testDriver = (
  name: string,
  options: SuiteOptions,
  make: () => Promise<DriverRig>,
): void => {
  const suite: Suite = {
    options,
    test: (title, body) => {
      test(title, { timeout: options.timeoutMs ?? 30_000 }, async ({ task }) => {
        task.meta.cases = 1
        await body((cases) => (task.meta.cases = cases))
      })
    },
    inRig: async (use) => {
      const rig = await make()
      try {
        expect(rig.driver.capabilities).toEqual(options.capabilities)
        return await use(rig)
      } finally {
        await rig.stop?.()
      }
    },
  }
  describe(`driver ${name} on ${options.target}`, () => {
    changes(suite)
    faults(suite)
    late(suite)
    removals(suite)
    owners(suite)
  })
}
