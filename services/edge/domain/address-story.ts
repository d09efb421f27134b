/**
 * Whether one address of this edge is announced, and what of its past decides what comes next.
 *
 *   fact     what is true of the resources with the address     what happens
 *   usable   one of them is served here, with a usable node     it is announced at once
 *   empty    served, but nobody of them has a usable node       withdrawn after a while, if announced
 *   closed   none is served here, or nobody can vouch for it    withdrawn at once
 *
 * The while is there because routers suppress a route that comes and goes. It doubles with each withdrawal that
 * follows another closely: an address that flaps stays announced, where its clients are not answered for a
 * moment; withheld, it would answer nobody for as long. Longer than a rolling update of one pod takes.
 */
export interface AddressStory {
  readonly announced: boolean
  /** Since when an announced address has no usable node, in milliseconds since the Unix epoch. */
  readonly emptySince: number | undefined
  /** Withdrawals for want of nodes, each within `calmMs` of the one before, and when the last one was. */
  readonly withdrawals: number
  readonly withdrawnAt: number
}

export type AddressFact = 'usable' | 'empty' | 'closed'

export const unheardOf: AddressStory = {
  announced: false,
  emptySince: undefined,
  withdrawals: 0,
  withdrawnAt: 0,
}

const firstMs = 5_000
const mostMs = 300_000
const calmMs = 600_000

/** @param now milliseconds since the Unix epoch */
export const afterFact = (story: AddressStory, fact: AddressFact, now: number): AddressStory => {
  const settled = { ...story, emptySince: undefined }
  switch (fact) {
    case 'closed':
      return { ...settled, announced: false }
    case 'usable':
      return { ...settled, announced: true }
    case 'empty': {
      if (!story.announced) return settled
      const waiting = { ...story, emptySince: story.emptySince ?? now }
      if (now < dueAt(waiting)) return waiting
      const withdrawals = recent(story, now) + 1
      return { announced: false, emptySince: undefined, withdrawals, withdrawnAt: now }
    }
  }
}

/** When an announced address without usable nodes is withdrawn. */
export const dueAt = (story: AddressStory): number => {
  const since = story.emptySince ?? Number.POSITIVE_INFINITY
  return since + Math.min(mostMs, firstMs * 2 ** recent(story, since))
}

/** Whether nothing of it decides anything any more. */
export const isForgettable = (story: AddressStory, now: number): boolean =>
  !story.announced && recent(story, now) === 0

const recent = (story: AddressStory, now: number): number =>
  now - story.withdrawnAt > calmMs ? 0 : story.withdrawals
