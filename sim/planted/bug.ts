import type { Plants } from '../hosts/machine.ts'

/** A bug that is known because we made it, to see whether the simulator finds it. */
export interface PlantedBug {
  readonly name: string
  /** What it does wrong, for the table. */
  readonly does: string
  readonly plants: Plants
  /** It must be found within so many schedules. */
  readonly within: number
}
