/**
 * Single flight per lane: what is asked of a lane while a call of it is on its way goes out together
 * as the next call. Lanes do not wait for each other.
 */
export interface Batching<Item, Result> {
  run(lane: string, item: Item): Promise<Result>
}

export interface BatchingRules<Item, Result> {
  /** Carries out the items of one lane; gives one result per item, in their order. */
  readonly send: (lane: string, items: readonly Item[]) => Promise<readonly Result[]>
  /** What an item must not share with another of the same call; such items wait for the next. */
  readonly touches: (item: Item) => readonly string[]
  /** How much of a call's room an item takes. */
  readonly weight: (item: Item) => number
  /** The room of a call. An item that is heavier travels alone. */
  readonly room: number
  /** Whether a failed call of several items is worth trying with each item by itself. */
  readonly mayDivide: (error: unknown) => boolean
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export const createBatching = <Item, Result>(
  rules: BatchingRules<Item, Result>,
): Batching<Item, Result> => {
  const lanes = new Map<string, Waiting<Item, Result>[]>()

  const settle = async (lane: string, batch: readonly Waiting<Item, Result>[]): Promise<void> => {
    try {
      const results = await rules.send(
        lane,
        batch.map(({ item }) => item),
      )
      results.forEach((result, index) => batch[index]?.resolve(result))
    } catch (error) {
      // One item the database refuses must not take its neighbours with it.
      if (batch.length === 1 || !rules.mayDivide(error)) {
        for (const { reject } of batch) reject(error)
        return
      }
      for (const one of batch) await settle(lane, [one])
    }
  }

  const drain = async (lane: string, queue: Waiting<Item, Result>[]): Promise<void> => {
    while (queue.length > 0) await settle(lane, takeBatch(queue, rules))
    lanes.delete(lane)
  }

  return {
    run: (lane, item) =>
      new Promise<Result>((resolve, reject) => {
        const queue = lanes.get(lane)
        if (queue) {
          queue.push({ item, resolve, reject })
          return
        }
        const fresh = [{ item, resolve, reject }]
        lanes.set(lane, fresh)
        void drain(lane, fresh)
      }),
  }
}

/** Takes the longest possible batch out of the queue; what must wait keeps its order. */
const takeBatch = <Item, Result>(
  queue: Waiting<Item, Result>[],
  { touches, weight, room }: BatchingRules<Item, Result>,
): Waiting<Item, Result>[] => {
  const batch: Waiting<Item, Result>[] = []
  const touched = new Set<string>()
  const left: Waiting<Item, Result>[] = []
  let used = 0
  for (const waiting of queue) {
    const names = touches(waiting.item)
    const fits = batch.length === 0 || used + weight(waiting.item) <= room
    if (fits && !names.some((name) => touched.has(name))) {
      batch.push(waiting)
      used += weight(waiting.item)
    } else {
      left.push(waiting)
    }
    // Also what waits is touched: nobody who asked later may overtake it on the same thing.
    for (const name of names) touched.add(name)
  }
  queue.splice(0, queue.length, ...left)
  return batch
}
