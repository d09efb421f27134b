import {
  edgeDoubt,
  edgeDoubtSubject,
  edgeWord,
  edgeWordSubject,
  type EdgeDoubt,
  type EdgeId,
  type EdgeWord,
  type FleetName,
  type ResourceKey,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import { explainError, type Clock, type Ids, type Logger } from '@weir/kernel'
import type { OtherWord } from '../domain/emptying.ts'

/** What the other edges of the fleet say. */
export interface SecondOpinion {
  /** Their words on one resource, from their own probes; none when nobody answers in time. */
  ask(of: Doubted): Promise<readonly OtherWord[]>
  /** Asks over this bus, and answers what is asked there; before that nobody can be asked. */
  follow(bus: Pick<Bus, 'hint' | 'onHint' | 'connected'>): void
}

export type Doubted = EdgeDoubt['resources'][number]

export interface SecondOpinionOptions {
  readonly fleet: FleetName
  readonly edge: EdgeId
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly signal: AbortSignal
  /** What the probes of this edge say of a resource; undefined for one that it does not hold. */
  readonly healthy: (of: Doubted) => OtherWord['healthy'] | undefined
  readonly waitMs?: number
}

/** A cluster that goes empties all its Services together: they are asked about together. */
const gatherMs = 20
/** As many as fit into one message, and as many messages as are waited for together. */
const perMessage = 50
const messagesAtOnce = 8
const nodesMost = 32

interface Waiting {
  readonly of: Doubted
  readonly answer: (words: readonly OtherWord[]) => void
}

export const createSecondOpinion = (options: SecondOpinionOptions): SecondOpinion => {
  const { fleet, edge, clock, ids, log, signal, healthy, waitMs = 300 } = options
  let bus: Pick<Bus, 'hint' | 'onHint' | 'connected'> | undefined
  // Each resource asks one question at a time, so no more wait than there are resources.
  const waiting: Waiting[] = []
  let asking = false

  const wordsOf = async (resources: Doubted[]): Promise<readonly EdgeWord[]> => {
    if (bus?.connected() !== true) return []
    const id = ids.uuid()
    const words: EdgeWord[] = []
    const over = new AbortController()
    const take = (body: string): void => {
      const word = edgeWord.safeParse(parseJson(body))
      if (word.success && word.data.id === id) words.push(word.data)
    }
    bus.onHint(edgeWordSubject(id), take, over.signal)
    const doubt: EdgeDoubt = { id, fleet, edge, resources }
    bus.hint(edgeDoubtSubject(fleet), JSON.stringify(doubt))
    await clock.sleep(waitMs, signal)
    over.abort()
    return words
  }
  const askTogether = async (batch: readonly Waiting[]): Promise<void> => {
    const words = await wordsOf(batch.map(({ of }) => of)).catch((error: unknown) => {
      log.warn({ cause: explainError(error) }, 'cannot ask the other edges')
      return []
    })
    for (const { of, answer } of batch) answer(wordsOn(of.key, words))
  }
  const run = async (): Promise<void> => {
    await clock.sleep(gatherMs, signal)
    while (waiting.length > 0) {
      const now = waiting.splice(0, perMessage * messagesAtOnce)
      const batches = Array.from({ length: Math.ceil(now.length / perMessage) }, (_, nth) =>
        now.slice(nth * perMessage, (nth + 1) * perMessage),
      )
      await Promise.all(batches.map(askTogether))
    }
    asking = false
  }
  const answer = (body: string): void => {
    const doubt = edgeDoubt.safeParse(parseJson(body))
    if (!doubt.success || doubt.data.edge === edge) return
    const { id } = doubt.data
    const resources = doubt.data.resources.flatMap((of) => {
      const known = healthy(of)
      return known ? [{ key: of.key, healthy: known.slice(0, nodesMost) }] : []
    })
    const word: EdgeWord = { id, edge, resources }
    bus?.hint(edgeWordSubject(id), JSON.stringify(word))
  }
  return {
    ask: (of) => {
      const { promise, resolve } = Promise.withResolvers<readonly OtherWord[]>()
      waiting.push({ of, answer: resolve })
      if (!asking) {
        asking = true
        void run()
      }
      return promise
    },
    follow: (on) => {
      bus = on
      on.onHint(edgeDoubtSubject(fleet), answer, signal)
    },
  }
}

const wordsOn = (key: ResourceKey, words: readonly EdgeWord[]): readonly OtherWord[] =>
  words.flatMap(({ edge, resources }) =>
    resources.flatMap((one) => (one.key === key ? [{ edge, healthy: one.healthy }] : [])),
  )

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // every schema rejects it
  }
}
