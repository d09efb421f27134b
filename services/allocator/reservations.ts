// What is being decided is noted in the index before it is recorded, so that another Service decided
// meanwhile does not choose the same address. A reload of the rows must not lose that, nor what was
// recorded while the rows were on their way; and taking a note back must not bring back what the index
// believed before the reload.
import type { AddressClaim, AddressIndex } from './domain/address-index.ts'

/** Notes of one decision; exactly one of the two is called. */
export interface Reservation {
  /** The decision is recorded: the notes are true. */
  keep(): void
  /** It is not: the index says again what the rows say. */
  undo(): void
}

export interface Reservations {
  reserve(claims: readonly AddressClaim[]): Reservation
  /** Replaces the index by what `read` gives, and notes again what the rows may not have yet. */
  reload(read: () => Promise<readonly AddressClaim[]>): Promise<void>
}

interface Note {
  readonly claim: AddressClaim
  /** What the index said before. */
  before: AddressClaim | undefined
}

export const createReservations = (index: AddressIndex): Reservations => {
  const open = new Set<readonly Note[]>()
  /** Recorded since the reload under way began; undefined while there is none. */
  let kept: AddressClaim[] | undefined

  const noteAll = (notes: readonly Note[]): void => {
    for (const note of notes) {
      note.before = index.get(note.claim.ip)
      index.set(note.claim)
    }
  }
  return {
    reserve: (claims) => {
      const notes = claims.map((claim): Note => ({ claim, before: undefined }))
      noteAll(notes)
      open.add(notes)
      return {
        keep: () => {
          open.delete(notes)
          kept?.push(...claims)
        },
        undo: () => {
          open.delete(notes)
          for (const { claim, before } of notes.toReversed()) {
            if (index.get(claim.ip) !== claim) continue // somebody else's note lies over it
            if (before) index.set(before)
            else index.drop(claim.ip)
          }
        },
      }
    },
    reload: async (read) => {
      const during: AddressClaim[] = []
      kept = during
      try {
        index.load(await read())
        for (const claim of during) index.set(claim)
        for (const notes of open) noteAll(notes)
      } finally {
        kept = undefined
      }
    },
  }
}
