import { expect, test } from 'vitest'
import { envoyFrontend, envoyName } from '../../domain/envoy-resources.ts'
import type { XdsType } from '../../domain/delta-xds.ts'
import { desiredOf } from '../../rig/orders.ts'
import { defaultEnvoyLimits } from './envoy-plane.ts'
import { loadEnvoyApi } from './protos.ts'
import { createXdsStore, type TellableResponse, type XdsStream } from './xds-store.ts'

const api = loadEnvoyApi()
const frontends = [{ ip: '127.0.0.9', protocol: 'TCP', port: 80, nodePort: 30_080 }]
const targets = ['n1', 'n2'].map((node, at) => ({ node, ip: `127.0.1.${at + 1}`, weight: 1 }))
const uid = 'c0ffee00-0000-4000-8000-000000000009'
const desired = desiredOf({ uid, frontends, targets })
const [at] = desired.frontends
if (!at) throw new Error('one frontend was wished')
const name = envoyName(desired.marks.key, at)
const frontend = (nodes: typeof targets) =>
  envoyFrontend({ desired, at, targets: nodes, limits: defaultEnvoyLimits, open: true })

const asks = (type: XdsType, nonce = '', error?: string) => ({
  type,
  subscribe: type === 'endpoints' && nonce === '' ? [name] : [],
  unsubscribe: [],
  initialVersions: new Map<string, string>(),
  nonce,
  error,
})
/** A store whose Envoy takes everything, but for the types with words against them. */
const follow = (store: ReturnType<typeof createXdsStore>, against: Record<string, string> = {}) => {
  const told: TellableResponse[] = []
  const stream: XdsStream = store.open((responses) => {
    told.push(...responses)
    for (const { type, nonce } of responses) {
      queueMicrotask(() => stream.hear(asks(type, nonce, against[type])))
    }
  })
  for (const type of ['cluster', 'endpoints', 'listener'] as const) stream.hear(asks(type))
  return told
}
const versionsOf = (told: readonly TellableResponse[]): Record<string, string | undefined> =>
  Object.fromEntries(told.map(({ type, changed }) => [type, changed[0]?.[1]]))
const soon = (): AbortSignal => AbortSignal.timeout(2_000)

test('two agents give the same frontend the same versions, whatever the order of its nodes', async () => {
  const seen: unknown[] = []
  for (const nodes of [targets, targets.toReversed()]) {
    const store = createXdsStore(api)
    store.wish(name, frontend(nodes))
    const told = follow(store)
    expect(await store.settled(name, soon())).toBeNull()
    seen.push(versionsOf(told))
  }
  expect(seen[1]).toEqual(seen[0])
})

test('another content is another version', () => {
  const [more, less] = [frontend(targets), frontend(targets.slice(1))]
  expect(api.encode('endpoints', more.endpoints)).not.toEqual(
    api.encode('endpoints', less.endpoints),
  )
  expect(api.encode('listener', more.listener)).toEqual(api.encode('listener', less.listener))
})

test('a refused listener is said in Envoy’s words, and told again when it is wished again', async () => {
  const store = createXdsStore(api)
  const against: Record<string, string> = { listener: `${name}: no room` }
  store.wish(name, frontend(targets))
  follow(store, against)
  expect(await store.settled(name, soon())).toBe('no room')
  delete against.listener
  store.wish(name, frontend(targets))
  expect(await store.settled(name, soon())).toBeNull()
})

test('without an Envoy nothing settles, until the caller gives up', async () => {
  const store = createXdsStore(api)
  store.wish(name, frontend(targets))
  await expect(store.settled(name, AbortSignal.timeout(20))).rejects.toThrow('timeout')
})
