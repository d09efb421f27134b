// How the parts of the suite declare tests: each counts the cases it holds, for the table of all drivers.
import type { DriverRig, SuiteOptions } from './rig.conformance.ts'

export interface Suite {
  readonly options: SuiteOptions
  /** Declares a test; `count` says of how many cases it consists, 1 if it says nothing. */
  test(name: string, body: (count: (cases: number) => void) => Promise<void>): void
  /** Runs `use` in a fresh world and stops that afterwards. */
  inRig<T>(use: (rig: DriverRig) => Promise<T>): Promise<T>
}
