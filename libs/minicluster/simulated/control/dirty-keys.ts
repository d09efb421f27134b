import { ApiError } from '../api-error.ts'

const retryMs = 1_000

/**
 * Keys that need another look. Marking is cheap and repeatable; the looks come after the write that
 * marked them was answered, each key once, however often it was marked.
 */
export class DirtyKeys {
  readonly #reconcile: (key: string) => void
  readonly #dirty = new Set<string>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #scheduled: NodeJS.Immediate | undefined
  #stopped = false

  constructor(reconcile: (key: string) => void) {
    this.#reconcile = reconcile
  }

  mark(key: string): void {
    this.#dirty.add(key)
    if (this.#stopped) return
    this.#scheduled ??= setImmediate(() => this.#run())
  }

  stop(): void {
    this.#stopped = true
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled)
    for (const timer of this.#timers) clearTimeout(timer)
  }

  #run(): void {
    this.#scheduled = undefined
    const keys = [...this.#dirty]
    this.#dirty.clear()
    for (const key of keys) this.#look(key)
  }

  #look(key: string): void {
    try {
      this.#reconcile(key)
    } catch (error) {
      // A rule refused the write, such as a namespace that is going: the state may be another soon.
      if (!(error instanceof ApiError)) throw error
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        this.mark(key)
      }, retryMs)
      timer.unref()
      this.#timers.add(timer)
    }
  }
}
