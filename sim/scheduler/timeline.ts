/** What is due later, earliest first; equals in the order they came. */
export interface Timeline<T> {
  push(item: T): void
  peek(): T | undefined
  pop(): T | undefined
}

interface Entry<T> {
  readonly item: T
  readonly due: number
  readonly order: number
}

/** A binary heap. */
export const createTimeline = <T>(dueOf: (item: T) => number): Timeline<T> => {
  const heap: Entry<T>[] = []
  let order = 0
  const before = (a: Entry<T>, b: Entry<T>): boolean =>
    a.due < b.due || (a.due === b.due && a.order < b.order)

  const swap = (i: number, j: number): void => {
    const [a, b] = [heap[i], heap[j]]
    if (a === undefined || b === undefined) return
    heap[i] = b
    heap[j] = a
  }
  const isBefore = (i: number, j: number): boolean => {
    const [a, b] = [heap[i], heap[j]]
    return a !== undefined && b !== undefined && before(a, b)
  }
  const rise = (from: number): void => {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1
      if (!isBefore(at, parent)) return
      swap(at, parent)
      at = parent
    }
  }
  const sink = (): void => {
    for (let at = 0; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      let least = at
      if (isBefore(left, least)) least = left
      if (isBefore(right, least)) least = right
      if (least === at) return
      swap(at, least)
      at = least
    }
  }
  return {
    push: (item) => {
      order += 1
      heap.push({ item, due: dueOf(item), order })
      rise(heap.length - 1)
    },
    peek: () => heap[0]?.item,
    pop: () => {
      const [first] = heap
      swap(0, heap.length - 1)
      heap.pop()
      sink()
      return first?.item
    },
  }
}
