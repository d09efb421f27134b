/**
 * Who of several edges on one segment answers for an address. The owner claims it every second, to all hosts
 * there, and that claim is the lease: it is heard where it matters, needs nobody else alive, and ends with its
 * edge. The kernel of an edge stops answering as soon as it hears the claim of another.
 *
 *   was         hears now                      becomes
 *   -           nothing                        listening; owner where its kernel answers: the agent was away
 *   listening   nothing until its turn         owner
 *   owner       nothing                        owner
 *   owner       one with a greater address     owner: that one gives way, hearing us
 *   any other   another                        other
 *   other       nothing for some seconds       listening, for a shorter while
 */
export type Ownership =
  /** `until`: when it is its turn, in milliseconds since the Unix epoch. */
  | { readonly status: 'listening'; readonly until: number }
  | { readonly status: 'owner' }
  | { readonly status: 'other' }

export interface Heard {
  /** The MAC address of another that claimed it in the last seconds. */
  readonly claimedBy: string | undefined
  /** Whether this edge's kernel answers for it. */
  readonly answers: boolean
}

export interface Self {
  /** This edge's own MAC address. */
  readonly mac: string
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

/** An owner that is there is heard twice meanwhile. */
const firstMs = 2_000
/** Edges that would take an address at the same moment wait differently long. */
const spreadMs = 1_000

export const ownershipAfter = (
  before: Ownership | undefined,
  address: string,
  { claimedBy, answers }: Heard,
  { mac, now }: Self,
): Ownership => {
  if (claimedBy !== undefined) {
    const isOurs = before?.status === 'owner' && mac < claimedBy
    return isOurs ? before : { status: 'other' }
  }
  switch (before?.status) {
    case undefined:
      if (answers) return { status: 'owner' }
      return { status: 'listening', until: now + firstMs + turnOf(mac, address) }
    case 'other':
      return { status: 'listening', until: now + turnOf(mac, address) }
    case 'listening':
      return now >= before.until ? { status: 'owner' } : before
    case 'owner':
      return before
  }
}

/** Differs from edge to edge and address to address, so that addresses spread over edges. */
const turnOf = (mac: string, address: string): number => {
  let hash = 0x81_1c_9d_c5
  for (const letter of `${address} ${mac}`) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01_00_01_93) >>> 0
  }
  return hash % spreadMs
}
