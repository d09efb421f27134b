/** What an edge's Envoy is told, in the order in which it is told. */
export const xdsTypes = ['cluster', 'endpoints', 'listener'] as const
export type XdsType = (typeof xdsTypes)[number]

/**
 * What shall be in force. One name stands for one frontend: its cluster, the endpoints of that cluster and
 * the listener that leads to it.
 */
export interface XdsWish {
  /** Undefined when nothing of the name shall be. A version stands for one content. */
  versionOf(type: XdsType, name: string): string | undefined
  namesOf(type: XdsType): Iterable<string>
  /** Whether what an earlier agent told and nobody wished since stays as it is. */
  keeps(name: string): boolean
}

/** One request of the stream (xds_protocol: DeltaDiscoveryRequest), parsed. */
export interface DeltaRequest {
  readonly type: XdsType
  readonly subscribe: readonly string[]
  readonly unsubscribe: readonly string[]
  /** What the client still has from a stream before this one. */
  readonly initialVersions: ReadonlyMap<string, string>
  /** Of the response that this answers; empty when it answers none. */
  readonly nonce: string
  /** Why the client refused that response. */
  readonly error: string | undefined
}

export interface DeltaResponse {
  readonly type: XdsType
  readonly nonce: string
  /** Names with the versions that they have now. */
  readonly changed: readonly (readonly [name: string, version: string])[]
  readonly removed: readonly string[]
}

/** What the client made of one resource; `version` is null for a removal. */
export interface XdsOutcome {
  readonly type: XdsType
  readonly name: string
  readonly version: string | null
  /** The client's words when it refused. */
  readonly problem: string | null
}

/**
 * The server's side of one stream of delta ADS:
 *
 * - One response of a type is under way at a time; what changed meanwhile goes into the next one. A request
 *   that bears another nonce answers nothing. `error` alone makes it a refusal.
 * - Resources that a refusal names are refused, the others of that response were taken; one that names
 *   none refuses all. A refused version isn't told again on this stream until `retry`.
 * - A listener is told when its cluster and endpoints were taken, so no client comes before there is a
 *   way; a cluster goes when its listener's removal was taken.
 * - Endpoints are told again after each change of their cluster, which waits for them before it is used.
 * - A new stream says what it still has; only what differs is told.
 */
export interface DeltaSession {
  hear(request: DeltaRequest): readonly XdsOutcome[]
  /** The wish for this name may be another one now. */
  changed(name: string): void
  /** Tells a refused resource again although its content is the same. */
  retry(type: XdsType, name: string): void
  /** Whether `keeps` answers as before is not known any more. */
  lookAtAll(): void
  /** Responses that are due now. */
  speak(): readonly DeltaResponse[]
  /** Whether the client has taken what is wished, and nothing of the name is on its way. */
  inForce(type: XdsType, name: string): boolean
}

interface Channel {
  subscribed: boolean
  /** Envoy waits for a first answer, even if there is nothing to tell. */
  greeted: boolean
  /** Only for endpoints; the other types are subscribed to as a whole. */
  readonly names: Set<string>
  readonly taken: Map<string, string>
  readonly refused: Map<string, string>
  /** To look at in the next response. */
  readonly dirty: Set<string>
  /** To tell even if the version is the one that was taken. */
  readonly again: Set<string>
  underWay: DeltaResponse | undefined
  /** What that response tells of. */
  readonly told: Set<string>
}

/** What to say of one name now; `later` leaves it for another look. */
type Word = { readonly version: string } | 'removal' | 'nothing' | 'later'

/** Most resources in one response. */
const responseMax = 500
const problemMax = 300

export const createDeltaSession = (wish: XdsWish): DeltaSession => {
  const channels: Readonly<Record<XdsType, Channel>> = {
    cluster: newChannel(),
    endpoints: newChannel(),
    listener: newChannel(),
  }
  let responses = 0

  const settled = (type: XdsType, name: string): boolean => {
    const { taken, again, told } = channels[type]
    return taken.get(name) === wish.versionOf(type, name) && !again.has(name) && !told.has(name)
  }
  const mayTell = (type: XdsType, name: string): boolean =>
    type !== 'listener' || (settled('cluster', name) && settled('endpoints', name))
  const mayRemove = (type: XdsType, name: string): boolean => {
    if (wish.keeps(name)) return false
    const { taken, told } = channels.listener
    return type !== 'cluster' || !(taken.has(name) || told.has(name))
  }
  const say = (type: XdsType, name: string): Word => {
    const { taken, refused, again, names } = channels[type]
    const version = wish.versionOf(type, name)
    if (type === 'endpoints' && !names.has(name)) return 'nothing'
    if (version === undefined) {
      // Endpoints end with their cluster; who asks for them still is told that there are none.
      if (type === 'endpoints') return again.has(name) ? 'removal' : 'nothing'
      const isKnown = taken.has(name) || again.has(name)
      if (!isKnown || wish.keeps(name)) return 'nothing'
      return mayRemove(type, name) ? 'removal' : 'later'
    }
    if (refused.get(name) === version) return 'nothing'
    if (taken.get(name) === version && !again.has(name)) return 'nothing'
    return mayTell(type, name) ? { version } : 'later'
  }
  const compose = (type: XdsType): DeltaResponse | undefined => {
    const channel = channels[type]
    if (!channel.subscribed || channel.underWay) return undefined
    const changed: (readonly [string, string])[] = []
    const removed: string[] = []
    for (const name of channel.dirty) {
      if (changed.length + removed.length >= responseMax) break
      const word = say(type, name)
      if (word === 'later') continue
      channel.dirty.delete(name)
      channel.again.delete(name)
      if (word === 'removal') removed.push(name)
      else if (word !== 'nothing') changed.push([name, word.version])
    }
    if (changed.length === 0 && removed.length === 0 && channel.greeted) return undefined
    channel.greeted = true
    responses += 1
    return { type, nonce: `${responses}`, changed, removed }
  }
  const changed = (name: string): void => {
    for (const type of xdsTypes) {
      channels[type].dirty.add(name)
      if (wish.versionOf(type, name) === undefined) channels[type].refused.delete(name)
    }
  }

  const begin = (channel: Channel, { type, initialVersions }: DeltaRequest): void => {
    channel.subscribed = true
    channel.greeted = type === 'endpoints'
    for (const [name, version] of initialVersions) channel.taken.set(name, version)
    for (const name of [...initialVersions.keys(), ...wish.namesOf(type)]) channel.dirty.add(name)
  }
  const subscribe = (channel: Channel, request: DeltaRequest, isFirst: boolean): void => {
    for (const name of request.subscribe.filter((each) => each !== '*')) {
      channel.names.add(name)
      // Who asks within a stream is answered, whatever it had before.
      if (!isFirst || !request.initialVersions.has(name)) channel.again.add(name)
      channel.dirty.add(name)
    }
    for (const name of request.unsubscribe) {
      channel.names.delete(name)
      channel.taken.delete(name)
      channel.again.delete(name)
    }
  }
  const take = (response: DeltaResponse, error: string | undefined): XdsOutcome[] => {
    const { type } = response
    const { taken, refused } = channels[type]
    const told = response.changed.map(([name]) => name)
    const problemOf = error === undefined ? () => null : problemsOf(told, error)
    for (const name of response.removed) taken.delete(name)
    const gone = response.removed.map((name) => ({ type, name, version: null, problem: null }))
    const outcomes = response.changed.map(([name, version]) => {
      const problem = problemOf(name)
      if (problem === null) taken.set(name, version)
      else refused.set(name, version)
      if (problem === null) refused.delete(name)
      return { type, name, version, problem }
    })
    for (const name of [...told, ...response.removed]) changed(name)
    return [...gone, ...outcomes]
  }

  return {
    hear: (request) => {
      const channel = channels[request.type]
      const isFirst = !channel.subscribed
      if (isFirst) begin(channel, request)
      if (request.type === 'endpoints') subscribe(channel, request, isFirst)
      const response = channel.underWay
      if (response === undefined || request.nonce !== response.nonce) return []
      channel.underWay = undefined
      channel.told.clear()
      return take(response, request.error)
    },
    changed,
    retry: (type, name) => {
      channels[type].refused.delete(name)
      channels[type].again.add(name)
      channels[type].dirty.add(name)
    },
    lookAtAll: () => {
      for (const type of xdsTypes) for (const name of channels[type].taken.keys()) changed(name)
    },
    speak: () =>
      xdsTypes.flatMap((type) => {
        const response = compose(type)
        if (!response) return []
        channels[type].underWay = response
        for (const [name] of response.changed) channels[type].told.add(name)
        for (const name of response.removed) channels[type].told.add(name)
        const { endpoints } = channels
        if (type === 'cluster') {
          for (const [name] of response.changed) {
            endpoints.again.add(name)
            endpoints.dirty.add(name)
          }
        }
        return [response]
      }),
    inForce: (type, name) => channels[type].subscribed && settled(type, name),
  }
}

const newChannel = (): Channel => ({
  subscribed: false,
  greeted: false,
  names: new Set(),
  taken: new Map(),
  refused: new Map(),
  dirty: new Set(),
  again: new Set(),
  underWay: undefined,
  told: new Set(),
})

/** Envoy writes `NAME: what is wrong` for each resource that it refused, one after the other. */
const problemsOf = (names: readonly string[], error: string): ((name: string) => string | null) => {
  const starts = new Map(
    names.flatMap((name) => {
      const at = error.indexOf(`${name}: `)
      return at === -1 ? [] : [[name, at + name.length + 2] as const]
    }),
  )
  if (starts.size === 0) return () => error.slice(0, problemMax)
  return (name) => {
    const start = starts.get(name)
    if (start === undefined) return null
    const rest = error.slice(start)
    return (/^[^\n]*/.exec(rest)?.[0] ?? rest).slice(0, problemMax)
  }
}
