import { describe, expect, test } from 'vitest'
import { at, configMap, core, eventually, service, type Rig } from './rig.conformance.ts'

const merge = 'application/merge-patch+json'

const watches = (rig: Rig): void => {
  const typesAndNames = (events: readonly { type: string; object: unknown }[]) =>
    events.map(({ type, object }) => `${type} ${at(object, 'metadata.name') as string}`)
  const only = 'fieldSelector=metadata.name%21%3Dkube-root-ca.crt'

  test('a watch tells each change after its version once, in order', async () => {
    const path = core(await rig.namespace(), 'configmaps')
    await rig.ask('POST', path, { body: configMap('before') })
    const version = at((await rig.ask('GET', path)).body, 'metadata.resourceVersion') as string
    const seen = rig.watch(
      `${path}?watch=true&${only}&resourceVersion=${version}`,
      (events) => events.length >= 3,
    )
    await rig.ask('POST', path, { body: configMap('one') })
    const body = { data: { a: 'b' } }
    await rig.ask('PATCH', `${path}/one`, { body, contentType: merge })
    await rig.ask('DELETE', `${path}/one`)
    expect(typesAndNames(await seen)).toEqual(['ADDED one', 'MODIFIED one', 'DELETED one'])
  })

  test('an object that leaves the selection is told as deleted, one that enters as added', async () => {
    const path = core(await rig.namespace(), 'configmaps')
    const version = at((await rig.ask('GET', path)).body, 'metadata.resourceVersion') as string
    const seen = rig.watch(
      `${path}?watch=true&labelSelector=a%3D1&resourceVersion=${version}`,
      (events) => events.length >= 2,
    )
    await rig.ask('POST', path, { body: configMap('one') })
    for (const a of ['1', '2']) {
      const body = { metadata: { labels: { a } } }
      await rig.ask('PATCH', `${path}/one`, { body, contentType: merge })
    }
    expect(typesAndNames(await seen)).toEqual(['ADDED one', 'DELETED one'])
  })

  test('a watch that begins with the objects marks their end with a bookmark', async () => {
    const path = core(await rig.namespace(), 'configmaps')
    await rig.ask('POST', path, { body: configMap('one') })
    const begin = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan'
    const events = await rig.watch(
      `${path}?watch=true&${only}&${begin}&allowWatchBookmarks=true`,
      (events) => events.some(({ type }) => type === 'BOOKMARK'),
    )
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'BOOKMARK'])
    const annotations = at(events[1]?.object, 'metadata.annotations') as object
    expect(annotations).toMatchObject({ 'k8s.io/initial-events-end': 'true' })
  })

  test('a watch ends when its time is over', async () => {
    const path = core(await rig.namespace(), 'services')
    expect(await rig.watch(`${path}?watch=true&timeoutSeconds=1`, () => false)).toEqual([])
  })
}

const namespaces = (rig: Rig): void => {
  test('a deleted namespace takes nothing new, waits for finalizers, and takes all with it', async () => {
    const namespace = await rig.namespace()
    const path = core(namespace, 'services')
    await rig.ask('POST', path, { body: service('web') })
    await rig.ask('POST', core(namespace, 'configmaps'), { body: configMap('one') })
    const hold = (finalizers: string[] | null) =>
      rig.ask('PATCH', `${path}/web`, { body: { metadata: { finalizers } }, contentType: merge })
    await hold(['example.com/hold'])
    await rig.ask('DELETE', `/api/v1/namespaces/${namespace}`)
    const read = () => rig.ask('GET', `/api/v1/namespaces/${namespace}`)
    await eventually(async () => {
      expect(at((await read()).body, 'status.phase')).toBe('Terminating')
      expect((await rig.ask('GET', core(namespace, 'configmaps', 'one'))).status).toBe(404)
    })
    const refused = await rig.ask('POST', core(namespace, 'configmaps'), { body: configMap('two') })
    expect(refused.status).toBe(403)
    expect((await rig.ask('GET', `${path}/web`)).status).toBe(200)
    await hold(null)
    await eventually(async () => expect((await read()).status).toBe(404), 40_000)
  }, 60_000)
}

export const watchRules = (rig: Rig): void => {
  describe('watches', () => {
    watches(rig)
  })
  describe('namespaces', () => {
    namespaces(rig)
  })
}
