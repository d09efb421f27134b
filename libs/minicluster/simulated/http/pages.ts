import { expired } from '../api-error.ts'
import type { Stored } from '../storage/table.ts'

/** Where a paged list stands: the snapshot it reads and how many of its objects were sent. */
export interface Page {
  readonly objects: readonly Stored[]
  readonly revision: number
  readonly from: number
}

/**
 * The snapshots behind `continue` tokens. A list is of one revision from its first page to its last;
 * the newest few are kept, and a token for any other is answered 410 `Expired`.
 */
export class Pages {
  readonly #kept = new Map<string, Page>()
  #count = 0

  keep(page: Page): string {
    this.#count += 1
    const token = Buffer.from(`${page.revision}/${page.from}/${this.#count}`).toString('base64url')
    this.#kept.set(token, page)
    if (this.#kept.size > most) {
      const oldest = this.#kept.keys().next().value
      if (oldest !== undefined) this.#kept.delete(oldest)
    }
    return token
  }

  /** A token may be used again: a client that lost the answer asks once more. */
  resume(token: string): Page {
    const page = this.#kept.get(token)
    if (page !== undefined) return page
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can ' +
        'start a new list without the continue parameter.',
    )
  }

  forget(): void {
    this.#kept.clear()
  }
}

const most = 32
