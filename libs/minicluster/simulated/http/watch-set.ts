import type { ServerResponse } from 'node:http'

/** One open watch stream. */
export interface OpenWatch {
  readonly url: string
  readonly response: ServerResponse
  muted: boolean
  /** Sends a bookmark when the client wants them. */
  bookmark(): void
  /** Takes the watch from its table. */
  detach(): void
}

/** Every open watch of a server, to end or to silence them. */
export class WatchSet {
  readonly #open = new Set<OpenWatch>()

  get size(): number {
    return this.#open.size
  }

  add(watch: OpenWatch): void {
    this.#open.add(watch)
    watch.response.once('close', () => {
      watch.detach()
      this.#open.delete(watch)
    })
  }

  bookmark(): void {
    for (const watch of this.#open) if (!watch.muted) watch.bookmark()
  }

  /** Ends the streams after a last text; returns how many there were. */
  end(path: RegExp | undefined, last: string): number {
    const ended = this.#matching(path)
    for (const watch of ended) {
      watch.detach()
      watch.response.end(last)
    }
    return ended.length
  }

  mute(path: RegExp | undefined): number {
    const muted = this.#matching(path)
    for (const watch of muted) watch.muted = true
    return muted.length
  }

  /** A watch that was silent has missed events, so it ends instead of going on with a gap. */
  unmute(): void {
    for (const watch of this.#open) if (watch.muted) watch.response.end()
  }

  #matching(path: RegExp | undefined): OpenWatch[] {
    return [...this.#open].filter((watch) => path === undefined || path.test(watch.url))
  }
}
