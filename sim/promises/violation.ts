/** The promises that are checked, by the names that the reliability page gives them. */
export type PromiseName =
  | 'P1'
  | 'P2'
  | 'P3'
  | 'P4'
  | 'P5'
  | 'P6'
  | 'P7'
  | 'P8'
  | 'P10'
  | 'P12'
  | 'L1'
  | 'L2'
  | 'L3'
  | 'L4'
  /** A process found an invariant of its own broken, or used time or chance that is not a port's. */
  | 'bug'

/** A promise that was not kept. */
export class Violation extends Error {
  readonly promise: PromiseName
  constructor(promise: PromiseName, message: string) {
    super(message)
    this.name = 'Violation'
    this.promise = promise
  }
}
