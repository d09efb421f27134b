import type { Socket } from 'node:net'
import type { FailedAnswer, Faults, ListLie, RequestMatch } from '../faults.ts'
import type { Pages } from './pages.ts'
import type { Store } from '../storage/store.ts'
import type { Stored } from '../storage/table.ts'
import type { WatchSet } from './watch-set.ts'

/** Every table as it was at one moment. */
export interface Stale {
  readonly revision: number
  get(table: string): readonly Stored[] | undefined
}

type Effect =
  | { readonly kind: 'fail'; readonly answer: FailedAnswer }
  | { readonly kind: 'hang' }
  | { readonly kind: 'lose' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'lie'; readonly lie: ListLie }
  | { readonly kind: 'stale'; readonly stale: Stale }

interface Armed {
  readonly match: RequestMatch
  readonly effect: Effect
  left: number
}

/** What is to go wrong with one request; several things can. */
export interface Misfortune {
  readonly fail: FailedAnswer | undefined
  readonly hang: boolean
  readonly lose: boolean
  readonly delayMs: number
  readonly lie: ListLie | undefined
  readonly stale: Stale | undefined
}

const fine: Misfortune = {
  fail: undefined,
  hang: false,
  lose: false,
  delayMs: 0,
  lie: undefined,
  stale: undefined,
}

/** Keeps the faults that were asked for and tells each request its own. */
export class FaultPlan implements Faults {
  readonly #store: Store
  readonly #pages: Pages
  readonly #watches: WatchSet
  readonly #hanging = new Set<Socket>()
  #armed: Armed[] = []

  constructor(store: Store, pages: Pages, watches: WatchSet) {
    this.#store = store
    this.#pages = pages
    this.#watches = watches
  }

  /** Draws the faults of one request and counts them down. */
  draw(method: string, url: string): Misfortune {
    if (this.#armed.length === 0) return fine
    const drawn: { -readonly [K in keyof Misfortune]: Misfortune[K] } = { ...fine }
    for (const armed of this.#armed) {
      if (armed.left <= 0 || !hits(armed.match, method, url)) continue
      if (!set(drawn, armed.effect)) continue
      armed.left -= 1
    }
    this.#armed = this.#armed.filter((armed) => armed.left > 0)
    return drawn
  }

  hang(socket: Socket): void {
    this.#hanging.add(socket)
    socket.once('close', () => this.#hanging.delete(socket))
  }

  failNext(match: RequestMatch, answer: FailedAnswer): void {
    this.#arm(match, { kind: 'fail', answer })
  }

  hangNext(match: RequestMatch): void {
    this.#arm(match, { kind: 'hang' })
  }

  loseAnswerOfNext(match: RequestMatch): void {
    this.#arm(match, { kind: 'lose' })
  }

  delay(match: RequestMatch, ms: number): void {
    this.#arm({ count: Number.POSITIVE_INFINITY, ...match }, { kind: 'delay', ms })
  }

  lieNext(match: RequestMatch, lie: ListLie): void {
    this.#arm(match, { kind: 'lie', lie })
  }

  serveStale(match: RequestMatch): void {
    const tables = new Map([...this.#store.tables()].map((table) => [table.name, table.all()]))
    const { revision } = this.#store
    const stale: Stale = { revision, get: (table) => tables.get(table) }
    this.#arm({ count: Number.POSITIVE_INFINITY, ...match }, { kind: 'stale', stale })
  }

  dropWatches(path?: RegExp): number {
    return this.#watches.end(path, '')
  }

  truncateWatches(path?: RegExp): number {
    return this.#watches.end(path, '{"type":"MODIFIED","object":{"kind":"Ser')
  }

  muteWatches(path?: RegExp): number {
    return this.#watches.mute(path)
  }

  expireHistory(): void {
    this.#store.expire()
    this.#pages.forget()
  }

  clear(): void {
    this.#armed = []
    for (const socket of this.#hanging) socket.destroy()
    this.#watches.unmute()
  }

  #arm(match: RequestMatch, effect: Effect): void {
    this.#armed.push({ match, effect, left: match.count ?? 1 })
  }
}

const hits = (match: RequestMatch, method: string, url: string): boolean =>
  (match.method === undefined || match.method === method) &&
  (match.path === undefined || match.path.test(url))

/** False when the request suffers this already, so that the next one gets it. */
const set = (
  drawn: { -readonly [K in keyof Misfortune]: Misfortune[K] },
  effect: Effect,
): boolean => {
  switch (effect.kind) {
    case 'fail':
      if (drawn.fail !== undefined) return false
      drawn.fail = effect.answer
      return true
    case 'hang':
      if (drawn.hang) return false
      drawn.hang = true
      return true
    case 'lose':
      if (drawn.lose) return false
      drawn.lose = true
      return true
    case 'delay':
      drawn.delayMs += effect.ms
      return true
    case 'lie':
      if (drawn.lie !== undefined) return false
      drawn.lie = effect.lie
      return true
    default:
      drawn.stale ??= effect.stale
      return true
  }
}
