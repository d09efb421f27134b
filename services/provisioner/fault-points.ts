import { InvalidInput } from '@weir/contract'

/** Places at which a test may let this process die, as if its machine lost power. */
export const faultPoints = [
  /** Facts are in the log and nobody has acted on them yet. */
  'provisioner.after-record',
  'provisioner.before-execute',
  /** The provider has done what it was told, and the log does not know. */
  'provisioner.after-execute',
] as const
export type FaultPoint = (typeof faultPoints)[number]

/** Tells that a place is reached; where a fault is planted there, it does not return soon, if ever. */
export type Reach = (point: FaultPoint) => void

export const reachNothing: Reach = () => undefined

/**
 * Plants `NAME`, or `NAME:N` for the Nth time the place is reached. `die` ends or stops the process.
 * @throws InvalidInput for a place that does not exist, or where faults are not allowed
 */
export const plantFault = (
  wanted: string | undefined,
  allowed: boolean,
  die: (point: FaultPoint) => void,
): Reach => {
  if (wanted === undefined || wanted === '') return reachNothing
  const field = 'WEIR_FAULT_POINT'
  if (!allowed) {
    throw new InvalidInput(field, `${field} kills the process; set WEIR_ALLOW_FAULT_POINTS=1 too`)
  }
  const [, name = '', times = '1'] = /^(.*?)(?::([1-9]\d{0,5}))?$/.exec(wanted) ?? []
  const planted = faultPoints.find((point) => point === name)
  if (planted === undefined) {
    const known = faultPoints.join(', ')
    throw new InvalidInput(field, `${field} is NAME or NAME:N, with NAME one of ${known}`)
  }
  let left = Number(times)
  return (point) => {
    if (point !== planted) return
    left -= 1
    if (left === 0) die(point)
  }
}
