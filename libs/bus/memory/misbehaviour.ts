/** What the bus may do to a delivery; each is a chance in [0, 1], 0 unless said otherwise. */
export interface Misbehaviour {
  /** Delivered twice. */
  readonly duplicate?: number
  /** Delivered up to `lateMs` later, and so behind messages that were published after it. */
  readonly reorder?: number
  /** Never delivered to one of its consumers; the stream still has it. Hints are dropped as well. */
  readonly drop?: number
  /** Longest lateness of a reordered message, in milliseconds; 20 unless said otherwise. */
  readonly lateMs?: number
}

/** How often one message is delivered, and how late each time. */
export const fateOf = (rule: Misbehaviour, random: () => number): readonly number[] => {
  if (random() < (rule.drop ?? 0)) return []
  const late = (): number =>
    random() < (rule.reorder ?? 0) ? 1 + Math.floor(random() * (rule.lateMs ?? 20)) : 0
  return random() < (rule.duplicate ?? 0) ? [late(), late()] : [late()]
}
