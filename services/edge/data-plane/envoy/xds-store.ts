import { assert } from '@weir/kernel'
import { createHash } from 'node:crypto'
import {
  createDeltaSession,
  xdsTypes,
  type DeltaRequest,
  type DeltaResponse,
  type XdsOutcome,
  type XdsType,
  type XdsWish,
} from '../../domain/delta-xds.ts'
import { keyOfName, type EnvoyFrontend, type ProtoMessage } from '../../domain/envoy-resources.ts'
import type { EnvoyApi } from './protos.ts'

/** What Envoy shall have, and what it made of it. Survives every stream. */
export interface XdsStore {
  /** Wishes a frontend to be so, or not to be. Asked again, a refused one is told again. */
  wish(name: string, frontend: EnvoyFrontend | undefined): void
  /** Resolves with what Envoy refused of it, or null when all of the newest wish is in force. */
  settled(name: string, signal: AbortSignal): Promise<string | null>
  /** Tells the listener again, although Envoy took it: it lost it since. */
  lost(name: string): void
  /** Gives up what nobody wished of one resource, or of all. */
  release(key?: string): void
  /** Begins a stream, which replaces the one before. `tell` is called whenever there is something to say. */
  open(tell: (responses: readonly TellableResponse[]) => void): XdsStream
}

export interface XdsStream {
  hear(request: DeltaRequest): void
  close(): void
}

export interface TellableResponse extends DeltaResponse {
  readonly bodies: readonly Buffer[]
}

interface Wished {
  readonly version: string
  readonly message: ProtoMessage
}

export const createXdsStore = (api: Pick<EnvoyApi, 'encode'>): XdsStore => {
  const wished: Readonly<Record<XdsType, Map<string, Wished>>> = {
    cluster: new Map(),
    endpoints: new Map(),
    listener: new Map(),
  }
  /** By type and name, what Envoy said to which version. */
  const refusals = new Map<string, { readonly version: string | null; readonly problem: string }>()
  const waiting = new Map<string, Set<() => void>>()
  const released = new Set<string>()
  let releasedAll = false
  let stream: Stream | undefined
  let isDue = false

  const wish: XdsWish = {
    versionOf: (type, name) => wished[type].get(name)?.version,
    namesOf: (type) => wished[type].keys(),
    keeps: (name) => !releasedAll && !released.has(keyOfName(name)),
  }
  /** Many wishes of one moment go out together. */
  const speakSoon = (): void => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      speak()
    })
  }
  const speak = (): void => {
    const responses = stream?.session.speak() ?? []
    if (responses.length > 0) stream?.tell(responses.map(withBodies))
  }
  const withBodies = (response: DeltaResponse): TellableResponse => ({
    ...response,
    bodies: response.changed.map(([name]) => {
      const told = wished[response.type].get(name)
      assert(told !== undefined, `${name} is told because it is wished`)
      return api.encode(response.type, told.message)
    }),
  })
  const note = (outcomes: readonly XdsOutcome[]): void => {
    for (const { type, name, version, problem } of outcomes) {
      if (problem === null) refusals.delete(`${type} ${name}`)
      else refusals.set(`${type} ${name}`, { version, problem })
    }
    for (const name of new Set(outcomes.map((each) => each.name))) {
      for (const look of waiting.get(name) ?? []) look()
    }
  }
  /** Undefined while an answer is owed. */
  const standing = (name: string): { readonly problem: string | null } | undefined => {
    const problems: string[] = []
    for (const type of xdsTypes) {
      const version = wish.versionOf(type, name)
      if (version === undefined && type === 'endpoints') continue
      const refusal = refusals.get(`${type} ${name}`)
      if (version !== undefined && refusal?.version === version) problems.push(refusal.problem)
      // What waits for a refused one is not told, so no answer is owed.
      else if (problems.length === 0 && !stream?.session.inForce(type, name)) return undefined
    }
    return { problem: problems.length === 0 ? null : problems.join('; ') }
  }

  return {
    wish: (name, frontend) => {
      if (!frontend) released.add(keyOfName(name))
      for (const type of xdsTypes) {
        const message = frontend?.[type]
        if (!message) wished[type].delete(name)
        else wished[type].set(name, { version: versionOf(message), message })
        const refusal = refusals.get(`${type} ${name}`)
        if (!refusal) continue
        refusals.delete(`${type} ${name}`)
        if (refusal.version === wish.versionOf(type, name)) stream?.session.retry(type, name)
      }
      stream?.session.changed(name)
      speakSoon()
    },
    settled: async (name, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<string | null>()
      const look = (): void => {
        const now = standing(name)
        if (now) resolve(now.problem)
      }
      const looks = waiting.get(name) ?? new Set()
      waiting.set(name, looks.add(look))
      const giveUp = (): void => reject(signal.reason)
      signal.addEventListener('abort', giveUp, { once: true })
      look()
      try {
        return await promise
      } finally {
        signal.removeEventListener('abort', giveUp)
        looks.delete(look)
        if (looks.size === 0) waiting.delete(name)
      }
    },
    lost: (name) => {
      stream?.session.retry('listener', name)
      speakSoon()
    },
    release: (key) => {
      if (key === undefined) releasedAll = true
      else released.add(key)
      stream?.session.lookAtAll()
      speakSoon()
    },
    open: (tell) => {
      const mine: Stream = { session: createDeltaSession(wish), tell }
      stream = mine
      refusals.clear()
      return {
        hear: (request) => {
          if (stream !== mine) return
          note(mine.session.hear(request))
          // A stream that begins tells what it has: somebody may have waited for just that.
          if (request.nonce === '')
            for (const looks of waiting.values()) for (const look of looks) look()
          speak()
        },
        close: () => {
          if (stream === mine) stream = undefined
        },
      }
    },
  }
}

interface Stream {
  readonly session: ReturnType<typeof createDeltaSession>
  readonly tell: (responses: readonly TellableResponse[]) => void
}

/**
 * The same on every agent, so that a new one need not tell again what Envoy has. Of the text and not of the
 * bytes, which take ten times as long to make and are needed only for what is told.
 */
const versionOf = (message: ProtoMessage): string =>
  createHash('sha256').update(JSON.stringify(message)).digest('base64url').slice(0, 22)
