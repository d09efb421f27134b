import { expect, test } from 'vitest'
import {
  createDeltaSession,
  type DeltaRequest,
  type DeltaResponse,
  type DeltaSession,
  type XdsType,
} from './delta-xds.ts'

/** Names with their versions; each is a cluster, endpoints and a listener alike. */
type Wishes = Record<string, string>

const sessionFor = (wishes: Wishes, unclaimed: readonly string[] = []): DeltaSession =>
  createDeltaSession({
    versionOf: (_type, name) => wishes[name],
    namesOf: () => Object.keys(wishes),
    keeps: (name) => unclaimed.includes(name),
  })

const asks = (type: XdsType, more: Partial<DeltaRequest> = {}): DeltaRequest => ({
  type,
  subscribe: type === 'endpoints' ? [] : ['*'],
  unsubscribe: [],
  initialVersions: new Map(),
  nonce: '',
  error: undefined,
  ...more,
})
const has = (versions: Wishes) => ({ initialVersions: new Map(Object.entries(versions)) })

/** One word for each response, such as `cluster +a +b -c`. */
const words = (responses: readonly DeltaResponse[]): string[] =>
  responses.map(({ type, changed, removed }) =>
    [type, ...changed.map(([name]) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' '),
  )
/** Takes each response as Envoy would, and what it then is told, until there is nothing more. */
const takeAll = (session: DeltaSession, had: Wishes = {}): string[] => {
  const told: string[] = []
  const known = new Set(Object.keys(had))
  for (let round = 0; round < 20; round += 1) {
    const responses = session.speak()
    if (responses.length === 0) return told
    told.push(...words(responses))
    for (const { type, nonce, changed, removed } of responses) {
      session.hear(asks(type, { subscribe: [], nonce }))
      // A new cluster needs its endpoints, one that goes needs them no more; for a change Envoy waits.
      if (type !== 'cluster') continue
      const subscribe = changed.map(([name]) => name).filter((name) => !known.has(name))
      for (const name of subscribe) known.add(name)
      session.hear(asks('endpoints', { subscribe, unsubscribe: removed }))
    }
  }
  throw new Error('it never ends')
}
const begin = (session: DeltaSession, had: Wishes = {}): string[] => {
  session.hear(asks('cluster', has(had)))
  if (Object.keys(had).length > 0) {
    session.hear(asks('endpoints', { subscribe: Object.keys(had), ...has(had) }))
  }
  session.hear(asks('listener', has(had)))
  return takeAll(session, had)
}

test('a cluster is told first, then its endpoints, and the listener when both were taken', () => {
  expect(begin(sessionFor({ a: '1' }))).toEqual([
    'cluster +a',
    'listener',
    'endpoints +a',
    'listener +a',
  ])
})

test('Envoy is answered even when there is nothing to tell, or it would wait for ever', () => {
  expect(begin(sessionFor({}))).toEqual(['cluster', 'listener'])
})

test('a listener goes before its cluster does', () => {
  const wishes: Wishes = { a: '1', b: '1' }
  const session = sessionFor(wishes)
  begin(session)
  delete wishes.a
  session.changed('a')
  expect(takeAll(session)).toEqual(['listener -a', 'cluster -a'])
  expect(session.inForce('listener', 'a')).toBe(true)
})

test('a changed cluster has its endpoints told again, or it would stay without', () => {
  const wishes: Wishes = { a: '1' }
  const session = sessionFor(wishes)
  begin(session)
  wishes.a = '2'
  session.changed('a')
  expect(words(session.speak())).toEqual(['cluster +a', 'endpoints +a'])
})

test('what is wished and taken already is not told', () => {
  const session = sessionFor({ a: '1' })
  begin(session)
  session.changed('a')
  expect(session.speak()).toEqual([])
})

test('on a new stream only what differs is told', () => {
  const session = sessionFor({ a: '1', b: '2' })
  expect(begin(session, { a: '1', b: '1' })).toEqual([
    'cluster +b',
    'endpoints +b',
    'listener',
    'listener +b',
  ])
})

test('what an earlier agent told stays until nobody claims it', () => {
  const unclaimed = ['old']
  const session = sessionFor({ a: '1' }, unclaimed)
  expect(begin(session, { a: '1', old: '1' })).toEqual(['cluster', 'listener'])
  unclaimed.pop()
  session.lookAtAll()
  expect(takeAll(session)).toEqual(['listener -old', 'cluster -old'])
})

test('one response of a type is under way at a time, and the newest wish comes next', () => {
  const wishes: Wishes = { a: '1' }
  const session = sessionFor(wishes)
  session.hear(asks('cluster'))
  const [first] = session.speak()
  for (const version of ['2', '3']) {
    wishes.a = version
    session.changed('a')
    expect(session.speak()).toEqual([])
  }
  session.hear(asks('cluster', { nonce: first?.nonce ?? '' }))
  expect(session.speak()).toMatchObject([{ type: 'cluster', changed: [['a', '3']] }])
})

test('an answer to another response answers nothing', () => {
  const session = sessionFor({ a: '1' })
  session.hear(asks('cluster'))
  session.speak()
  expect(session.hear(asks('cluster', { nonce: 'stale' }))).toEqual([])
  expect(session.inForce('cluster', 'a')).toBe(false)
})

const refusedListeners = (wishes: Wishes, error: string) => {
  const session = sessionFor(wishes)
  session.hear(asks('cluster', has(wishes)))
  session.hear(asks('endpoints', { subscribe: Object.keys(wishes), ...has(wishes) }))
  session.hear(asks('listener'))
  const told = session.speak().find(({ type }) => type === 'listener')
  const outcomes = session.hear(asks('listener', { nonce: told?.nonce ?? '', error }))
  return { session, outcomes: outcomes.map(({ name, problem }) => [name, problem]) }
}

test('a refusal concerns those that it names, in its words; the others were taken', () => {
  const error = 'Error adding/updating listener(s) b: cannot bind: in use\nc: no such thing'
  const { outcomes } = refusedListeners({ a: '1', b: '1', c: '1' }, error)
  expect(outcomes).toEqual([
    ['a', null],
    ['b', 'cannot bind: in use'],
    ['c', 'no such thing'],
  ])
})

test('a refusal that names nobody concerns all of the response, in at most 300 letters', () => {
  const { outcomes } = refusedListeners({ a: '1', b: '1' }, 'x'.repeat(1_000))
  expect(outcomes).toEqual([
    ['a', 'x'.repeat(300)],
    ['b', 'x'.repeat(300)],
  ])
})

test('what was refused is told again when it changed, or when it is asked for', () => {
  const wishes: Wishes = { a: '1' }
  const { session } = refusedListeners(wishes, 'a: no')
  session.changed('a')
  expect(session.speak()).toEqual([])
  session.retry('listener', 'a')
  expect(words(session.speak())).toEqual(['listener +a'])
})

test('who asks for endpoints that are not there is told so', () => {
  const session = sessionFor({})
  session.hear(asks('endpoints', { subscribe: ['gone'] }))
  expect(words(session.speak())).toEqual(['endpoints -gone'])
})

test('before Envoy asks nothing is in force, not even an absence', () => {
  expect(sessionFor({}).inForce('listener', 'a')).toBe(false)
})
