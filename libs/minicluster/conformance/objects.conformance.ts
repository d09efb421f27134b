import { describe, expect, test } from 'vitest'
import { at, configMap, core, service, type Answer, type Rig } from './rig.conformance.ts'

const jsonPatch = 'application/json-patch+json'
const merge = 'application/merge-patch+json'
const strategic = 'application/strategic-merge-patch+json'
const apply = 'application/apply-patch+yaml'
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

const errors = (rig: Rig): void => {
  test('what is not there is 404, with the reason and the name', async () => {
    const path = core(await rig.namespace(), 'services', 'nobody')
    expect(await rig.ask('GET', path)).toEqual({
      status: 404,
      body: {
        kind: 'Status',
        apiVersion: 'v1',
        metadata: {},
        status: 'Failure',
        message: 'services "nobody" not found',
        reason: 'NotFound',
        details: { name: 'nobody', kind: 'services' },
        code: 404,
      },
    })
  })

  test('what is there already is 409, a stale version too', async () => {
    const path = core(await rig.namespace(), 'services')
    const { body } = await rig.ask('POST', path, { body: service('web') })
    const twice = await rig.ask('POST', path, { body: service('web') })
    expect(twice.status).toBe(409)
    expect(at(twice.body, 'reason')).toBe('AlreadyExists')
    const labels = { a: 'b' }
    const changed = await rig.ask('PATCH', `${path}/web`, {
      body: { metadata: { labels } },
      contentType: merge,
    })
    expect(changed.status).toBe(200)
    const stale = await rig.ask('PUT', `${path}/web`, { body })
    expect(stale.status).toBe(409)
    expect(at(stale.body, 'reason')).toBe('Conflict')
    expect(at(stale.body, 'message')).toContain('the object has been modified')
  })

  test('a deletion with the wrong uid is 409', async () => {
    const path = core(await rig.namespace(), 'configmaps')
    await rig.ask('POST', path, { body: configMap('one') })
    const body = { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } }
    expect((await rig.ask('DELETE', `${path}/one`, { body })).status).toBe(409)
    expect((await rig.ask('DELETE', `${path}/one`)).status).toBe(200)
  })

  test('a namespace that is not there takes nothing', async () => {
    const { status } = await rig.ask('POST', core('no-such', 'configmaps'), {
      body: configMap('one'),
    })
    expect(status).toBe(404)
  })

  test('a dry run says what would be and leaves no trace', async () => {
    const path = core(await rig.namespace(), 'services')
    const { status } = await rig.ask('POST', `${path}?dryRun=All`, { body: service('web') })
    expect(status).toBe(201)
    expect((await rig.ask('GET', `${path}/web`)).status).toBe(404)
  })
}

const patches = (rig: Rig): void => {
  const made = async () => {
    const namespace = await rig.namespace()
    const path = core(namespace, 'services', 'web')
    const ports = [
      { name: 'web', port: 80 },
      { name: 'tls', port: 443 },
    ]
    await rig.ask('POST', core(namespace, 'services'), { body: service('web', { ports }) })
    return (contentType: string, body: unknown, query = ''): Promise<Answer> =>
      rig.ask('PATCH', `${path}${query}`, { body, contentType })
  }
  const portNames = ({ body }: Answer): string[] =>
    (at(body, 'spec.ports') as { name: string }[]).map(({ name }) => name)

  test('a JSON patch does its steps, or none when a test fails', async () => {
    const patch = await made()
    const add = { op: 'add', path: '/metadata/labels', value: { a: '1' } }
    const done = await patch(jsonPatch, [add, { op: 'remove', path: '/spec/ports/1' }])
    expect(portNames(done)).toEqual(['web'])
    const wrong = { op: 'test', path: '/metadata/labels/a', value: '2' }
    const undone = await patch(jsonPatch, [wrong, { op: 'remove', path: '/metadata/labels/a' }])
    expect(undone.status).toBe(422)
  })

  test('a merge patch replaces lists and removes with null', async () => {
    const patch = await made()
    await patch(merge, { metadata: { labels: { a: '1', b: '2' } } })
    const done = await patch(merge, {
      metadata: { labels: { a: null } },
      spec: { ports: [{ name: 'one', port: 81 }] },
    })
    expect(at(done.body, 'metadata.labels')).toEqual({ b: '2' })
    expect(portNames(done)).toEqual(['one'])
  })

  test('a strategic merge patch merges ports by number and finalizers as a set', async () => {
    const patch = await made()
    const more = await patch(strategic, { spec: { ports: [{ name: 'dns', port: 53 }] } })
    expect([...portNames(more)].sort((a, b) => a.localeCompare(b))).toEqual(['dns', 'tls', 'web'])
    const less = await patch(strategic, { spec: { ports: [{ $patch: 'delete', port: 443 }] } })
    expect([...portNames(less)].sort((a, b) => a.localeCompare(b))).toEqual(['dns', 'web'])
    await patch(strategic, { metadata: { finalizers: ['example.com/a'] } })
    const both = await patch(strategic, { metadata: { finalizers: ['example.com/b'] } })
    const finalizers = new Set(at(both.body, 'metadata.finalizers') as string[])
    expect(finalizers).toEqual(new Set(['example.com/a', 'example.com/b']))
    const left = await patch(strategic, {
      metadata: { '$deleteFromPrimitiveList/finalizers': ['example.com/a'] },
    })
    expect(at(left.body, 'metadata.finalizers')).toEqual(['example.com/b'])
    await patch(merge, { metadata: { finalizers: null } })
  })

  test('server-side apply makes, owns, conflicts, and takes over by force', async () => {
    const namespace = await rig.namespace()
    const path = core(namespace, 'configmaps', 'one')
    const by = (manager: string, value: string, force = '') =>
      rig.ask('PATCH', `${path}?fieldManager=${manager}${force}`, {
        body: configMap('one', { key: value }),
        contentType: apply,
      })
    expect((await by('first', 'a')).status).toBe(201)
    expect((await by('first', 'b')).status).toBe(200)
    const conflict = await by('second', 'c')
    expect(conflict.status).toBe(409)
    expect(at(conflict.body, 'message')).toContain('.data.key')
    const forced = await by('second', 'c', '&force=true')
    expect(at(forced.body, 'data.key')).toBe('c')
  })

  test('a patch of no known type is 415', async () => {
    const patch = await made()
    expect((await patch('application/json', {})).status).toBe(415)
  })
}

const lists = (rig: Rig): void => {
  const filled = async (): Promise<string> => {
    const path = core(await rig.namespace(), 'configmaps')
    for (let n = 1; n <= 7; n += 1) {
      const labels = { parity: n % 2 === 0 ? 'even' : 'odd', [`n${n}`]: 'yes' }
      await rig.ask('POST', path, { body: configMap(`m-${n}`, {}, labels) })
    }
    return path
  }
  const namesOf = ({ body }: Answer): string[] =>
    (at(body, 'items') as { metadata: { name: string } }[])
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('m-'))

  test('selectors choose by label and by field', async () => {
    const path = await filled()
    const chosen = async (query: string) =>
      namesOf(await rig.ask('GET', `${path}?${query.replaceAll(' ', '%20')}`))
    expect(await chosen('labelSelector=parity=even')).toEqual(['m-2', 'm-4', 'm-6'])
    expect(await chosen('labelSelector=parity!=odd,n2')).toEqual(['m-2'])
    expect(await chosen('labelSelector=parity in (even),!n4')).toEqual(['m-2', 'm-6'])
    expect(await chosen('labelSelector=parity notin (even),n3')).toEqual(['m-3'])
    expect(await chosen('fieldSelector=metadata.name=m-5')).toEqual(['m-5'])
    expect((await rig.ask('GET', `${path}?labelSelector=%3D%3D`)).status).toBe(400)
  })

  test('pages of a list are one list of one moment', async () => {
    const path = await filled()
    const names: string[] = []
    let next = ''
    do {
      const query = `labelSelector=parity&limit=3${next && `&continue=${encodeURIComponent(next)}`}`
      const page = await rig.ask('GET', `${path}?${query}`)
      expect(page.status).toBe(200)
      names.push(...namesOf(page))
      next = (at(page.body, 'metadata.continue') as string | undefined) ?? ''
      if (names.length === 3)
        await rig.ask('POST', path, { body: configMap('m-8', {}, { parity: 'even' }) })
    } while (next !== '')
    expect(names).toEqual(['m-1', 'm-2', 'm-3', 'm-4', 'm-5', 'm-6', 'm-7'])
  })

  test('a continue token that is none is 400 or 410, never a first page', async () => {
    const path = await filled()
    const { status } = await rig.ask('GET', `${path}?limit=3&continue=bogus`)
    expect([400, 410]).toContain(status)
  })

  test('a table has the columns that kubectl shows', async () => {
    const path = core(await rig.namespace(), 'services')
    await rig.ask('POST', path, { body: service('web') })
    const { body } = await rig.ask('GET', path, { accept: table })
    expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
    const columns = (at(body, 'columnDefinitions') as { name: string }[]).map(({ name }) => name)
    const names = ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector']
    expect(columns).toEqual(names)
    const cells = at(body, 'rows.0.cells') as unknown[]
    expect(cells[0]).toBe('web')
    expect(cells[1]).toBe('LoadBalancer')
    expect(cells[3]).toBe('<pending>')
    expect(cells[4]).toMatch(/^80:3\d{4}\/TCP$/)
    expect(cells[6]).toBe('app=web')
    expect(at(body, 'rows.0.object.kind')).toBe('PartialObjectMetadata')
  })
}

export const objectRules = (rig: Rig): void => {
  describe('errors', () => {
    errors(rig)
  })
  describe('patches', () => {
    patches(rig)
  })
  describe('lists', () => {
    lists(rig)
  })
}
