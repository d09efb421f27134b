import type { OwnershipMarks } from '@weir/contract'

/** Whether two marks name the same owner of the same resource, whichever incarnation. */
export const sameOwner = (one: OwnershipMarks, other: OwnershipMarks): boolean =>
  one.installation === other.installation &&
  one.tenant === other.tenant &&
  one.cluster === other.cluster &&
  one.service === other.service &&
  one.key === other.key

/** A place in the life of a resource: epochs first, generations within one. */
export interface Place {
  readonly epoch: number
  readonly generation: number
}

/** Negative when `one` is older than `other`, 0 when equal, positive when newer. */
export const comparePlaces = (one: Place, other: Place): number =>
  one.epoch === other.epoch ? one.generation - other.generation : one.epoch - other.epoch
