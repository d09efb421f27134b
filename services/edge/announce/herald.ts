/**
 * Tells routers, or a segment, which addresses this edge takes. It keeps what it was told last true by itself:
 * whatever hears it may die and come back.
 */
export interface Herald {
  /**
   * Has these addresses announced, or not, from now on. Resolves when that is so, or another call has said
   * otherwise of them; that may take as long as who hears it is away. What was announced by a daemon that is dead
   * is not.
   */
  tell(changes: ReadonlyMap<string, boolean>): Promise<void>
  /** How long those who hear of a withdrawal may go on sending, ms. */
  readonly lingerMs: number
  /** Why what is announced is not heard now; undefined when all is well. */
  problem(): string | undefined
  /** Stops telling. What is announced stays so, unless who hears it must be told by somebody alive. */
  close(): Promise<void>
}

/** For fleets whose addresses get to the edges by other means, such as a static route. */
export const noHerald: Herald = {
  lingerMs: 0,
  tell: () => Promise.resolve(),
  problem: () => undefined,
  close: () => Promise.resolve(),
}
