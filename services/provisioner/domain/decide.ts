// One step of bringing a provider up to a story. The shell takes the step, folds what it brought, and asks
// again until there is nothing to do now. Whatever it learned is passed back as data, so a crash between
// any two steps loses only knowledge that is read again.
//
// A Service that moved between drivers has several incarnations, each decided about by itself:
//
//   state \ role       newest               stand-in              left-over
//   Wanted             intend               serves nothing, so it is left over
//   Intended           tell, confirm        go on as before       intend its delete: moved
//   Programmed         look for drift       go on as before       intend its delete: moved
//   Released           intend its delete: released, or record that nothing was made
//   Removing           remove, read, record its absence; of the newest after all others
import { event, type DomainEvent } from '@weir/contract'
import { assertNever } from '@weir/kernel'
import {
  awaitOperation,
  changeOf,
  decideServing,
  decideWanted,
  lagLeftMs,
  waitFor,
} from './serve.ts'
import type { Life, Living } from './state.ts'
import { lookAgainMs, record, soon, whenCalled, type Knowledge, type Step } from './step.ts'

/** The next step for one incarnation of a Service's resource. */
export const decide = (state: Living, known: Knowledge): Step => {
  const step = next(state, known)
  return step.step === 'rest' ? (overdue(state, known.now) ?? step) : step
}

const next = (state: Living, known: Knowledge): Step => {
  const { role } = known
  switch (state.status) {
    case 'Absent':
      return whenCalled
    case 'Wanted':
      if (role.role !== 'newest') return leaveBehind(state, role)
      // At most one of a key is at a provider: the one of before is gone first.
      return role.kept || (role.shares && !replaces(known))
        ? whenCalled
        : decideWanted(state, known)
    case 'Intended':
    case 'Programmed':
      if (role.role === 'left-over') return leaveBehind(state, role)
      if (role.role === 'stand-in' && role.shares && !role.still && !replaces(known)) {
        return leaveBehind(state, role)
      }
      // The newest is at its very place: whatever it still says there would be a quarrel.
      if (role.role === 'stand-in' && role.still) return whenCalled
      return changeOf(state, known) ?? decideServing(state, known)
    case 'Released':
      return decideReleased(state, known)
    case 'Removing':
      return decideRemoving(state, known)
    default:
      return assertNever(state)
  }
}

/**
 * Whether a later incarnation takes the place of an earlier one of its key at once. At a cloud, whose reads
 * may deny what it is still deleting, it would be made beside it: the earlier one goes first there.
 */
const replaces = ({ absence: { lagMs } }: Knowledge): boolean => lagMs === 0

const leaveBehind = (life: Life, role: Knowledge['role']): Step => {
  const evidence = role.role === 'left-over' ? role.evidence : life.cause.eventId
  return life.generation === 0 ? record(neverMade(life)) : record(deleting(life, 'moved', evidence))
}

/** A former incarnation that was never made: said on its stream, so that nobody can intend it any more. */
const neverMade = ({ key, epoch }: Life): DomainEvent =>
  event('ResourceAbsent', { key, epoch, confirmedBy: ['log'] })

const deleting = (
  { key, epoch }: Life,
  reason: 'released' | 'moved',
  evidence: string,
): DomainEvent => event('ResourceDeleteIntended', { key, epoch, reason, evidence })

/** Nothing was ever intended, so nothing exists; otherwise the delete is intended before it is asked. */
const decideReleased = (life: Life, { role }: Knowledge): Step => {
  if (life.generation > 0) return record(deleting(life, 'released', life.cause.eventId))
  if (role.role !== 'newest') return record(neverMade(life))
  if (role.formers > 0) return whenCalled
  const nothing = { key: life.key, epoch: 0, confirmedBy: ['log'] }
  return record(event('ResourceAbsent', nothing))
}

const decideRemoving = (state: Extract<Living, { status: 'Removing' }>, known: Knowledge): Step => {
  const { answer, sight, marks, role } = known
  const waiting = awaitOperation(state, known)
  if (waiting !== undefined) return waiting
  if (answer === null) return { step: 'remove', marks }
  const wait = waitFor(state, known)
  if (wait !== undefined) return wait
  if (sight === null) return { step: 'observe', marks }
  if (sight.status !== 'absent') {
    return soon(answer.status === 'pending' ? answer.lookAgainMs : lookAgainMs)
  }
  // A cloud may show for a while what it had before: absence is read twice, as far apart as that.
  const { since } = known.absence
  const leftMs = lagLeftMs(Math.max(Date.parse(state.since), since ?? known.now), known)
  if (leftMs > 0) return soon(leftMs)
  // The absence of the newest ends the load balancer's life, so it is told when nothing else is left.
  if (role.role === 'newest' && role.formers > 0 && state.released) return whenCalled
  const { key, epoch } = state
  return record(event('ResourceAbsent', { key, epoch, confirmedBy: [...sight.confirmedBy] }))
}

const patienceMs = 10 * 60_000

/** A provider that works on one order for so long is told of, once; it is waited for all the same. */
const overdue = (state: Living, now: number): Step | undefined => {
  const { key, operation, generation, wish, status, refusedHash, parked } = state
  if (parked || (status !== 'Intended' && status !== 'Removing')) return undefined
  if (status === 'Intended' && refusedHash === wish.intentHash) return undefined
  const since = operation?.since ?? state.since
  if (now - Date.parse(since) < patienceMs) return undefined
  const what = status === 'Removing' ? 'the removal' : `generation ${generation}`
  const problem =
    operation === null
      ? `the provider has not confirmed ${what} since ${since}`
      : `the provider has worked on "${operation.what}" since ${since}`
  return record(event('ReconcileParked', { key, attempts: 0, problem }))
}
