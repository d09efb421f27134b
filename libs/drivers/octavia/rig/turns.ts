/** Runs `use` on one of the endpoints when it is that one's turn. */
export type Turns = <T>(use: (endpoint: string) => Promise<T>) => Promise<T>

/** An octavia-api of `wsgiref` answers one call at a time and lets five wait; more are reset. */
const atOnce = 2

/** Keeps calls to servers that answer one at a time in a line. */
export const createTurns = (endpoints: readonly string[]): Turns => {
  const free = Array.from({ length: atOnce }, () => endpoints).flat()
  const waiting: ((endpoint: string) => void)[] = []
  return async (use) => {
    const endpoint = free.shift() ?? (await new Promise<string>((resolve) => waiting.push(resolve)))
    try {
      return await use(endpoint)
    } finally {
      const next = waiting.shift()
      if (next === undefined) free.push(endpoint)
      else next(endpoint)
    }
  }
}
