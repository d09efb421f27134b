/** A condition on a Service's status. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
  /** RFC 3339, whole seconds. */
  readonly lastTransitionTime: string
}

/** Why it is so, in a word and a sentence. */
export interface Because {
  readonly reason: string
  readonly message: string
}

/**
 * The three conditions, by the meaning of KEP-4631: traffic is accepted; work towards that goes on; it
 * is not as the Service asks and will not become so by itself.
 */
export const conditionsOf = (
  is: { readonly serving: boolean; readonly provisioning: boolean; readonly degraded: boolean },
  because: Because,
): readonly Omit<Condition, 'lastTransitionTime'>[] =>
  (
    [
      ['weir.dev/Serving', is.serving],
      ['weir.dev/Provisioning', is.provisioning],
      ['weir.dev/Degraded', is.degraded],
    ] as const
  ).map(([type, holds]) => ({ type, status: holds ? 'True' : 'False', ...because }))

/** Gives each its time: the old one while the status is the same. */
export const dated = (
  wanted: readonly Omit<Condition, 'lastTransitionTime'>[],
  present: readonly Condition[],
  now: number,
): Condition[] =>
  wanted.map((condition) => {
    const before = present.find(({ type }) => type === condition.type)
    const kept = before?.status === condition.status ? before.lastTransitionTime : ''
    const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z')
    return { ...condition, lastTransitionTime: kept === '' ? time : kept }
  })

/** Whether the conditions shown already say what is wanted, whatever their times. */
export const alreadySay = (
  present: readonly Condition[],
  wanted: readonly Omit<Condition, 'lastTransitionTime'>[],
): boolean =>
  wanted.every(({ type, status, reason, message }) =>
    present.some(
      (at) =>
        at.type === type && at.status === status && at.reason === reason && at.message === message,
    ),
  )
