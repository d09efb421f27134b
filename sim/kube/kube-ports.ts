import { OperatingError } from '@weir/kernel'
import type { FaultPlan } from '../faults.ts'
import type { Actor } from '../scheduler/actor.ts'
import type { KubeWrite } from '../truth/ledger.ts'

export interface KubePorts {
  readonly actor: Actor
  readonly faults: FaultPlan
  /** Told of every write that was accepted, with what it was asked to do. */
  readonly onWrite: (write: KubeWrite) => void
}

export const broken = (what: string): OperatingError =>
  new OperatingError(`${what}: the connection broke`)
