/** Lets `most` tasks run at a time. */
export interface Room {
  /** Resolves when the task has begun; a full room holds its caller back. A task must not reject. */
  enter(task: () => Promise<void>): Promise<void>
}

export const createRoom = (most: number): Room => {
  let inside = 0
  const queue: (() => void)[] = []
  // Whoever leaves hands the place on, so `inside` only falls when nobody waits.
  const leave = (): void => {
    const next = queue.shift()
    if (next) next()
    else inside -= 1
  }
  return {
    enter: async (task) => {
      if (inside >= most) await new Promise<void>((admit) => queue.push(admit))
      else inside += 1
      void task().finally(leave)
    },
  }
}
