import { event, type DomainEvent } from '@weir/contract'
import type { Living } from './state.ts'

/** That the attempts were given up; undefined when that was said and nothing has moved since. */
export const parkedEvent = (
  state: Living,
  failure: { readonly attempts: number; readonly problem: string },
): DomainEvent | undefined =>
  state.parked ? undefined : event('ReconcileParked', { key: state.key, ...failure })
