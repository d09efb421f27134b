import { systemClock, systemIds } from '@weir/kernel'
import { afterEach, expect, test } from 'vitest'
import { ApiError, type Api } from './api.ts'
import { listWatch } from './list-watch.ts'
import type { KubeObject } from './objects.ts'

const object = (name: string, resourceVersion: string, uid = name): KubeObject => ({
  metadata: { name, resourceVersion, uid },
})
const list = (resourceVersion: string, ...items: KubeObject[]) => ({
  metadata: { resourceVersion },
  items,
})
type Watch = (tell: (event: object) => void, path: string) => void

/** An API that answers lists and watches in turn, then holds the last watch open. */
const scripted = (lists: object[], watches: Watch[]): Api => ({
  call: async <T>() => lists.shift() as T,
  watch: async (path, onEvent, signal) => {
    const next = watches.shift()
    if (next) return next(onEvent, path)
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  },
  close: async () => undefined,
})

let halt = new AbortController()
afterEach(() => halt.abort())

const follow = (lists: object[], watches: Watch[]) => {
  halt = new AbortController()
  const heard: string[] = []
  const troubles: string[] = []
  const watch = listWatch<KubeObject>({
    api: scripted(lists, watches),
    path: '/api/v1/things',
    onChange: (after, before) => {
      const name = (one: KubeObject | undefined): string =>
        one ? `${one.metadata.uid}@${one.metadata.resourceVersion}` : '-'
      heard.push(`${name(before)} > ${name(after)}`)
    },
    clock: systemClock,
    ids: systemIds,
    signal: halt.signal,
    onTrouble: (line) => troubles.push(line),
  })
  return { heard, troubles, watch }
}

test('the list is heard first, then each change of the watch', async () => {
  const { heard, watch } = follow(
    [list('5', object('a', '3'))],
    [
      (tell, path) => {
        expect(path).toContain('resourceVersion=5')
        tell({ type: 'ADDED', object: object('b', '6') })
        tell({ type: 'MODIFIED', object: object('a', '7') })
        tell({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })
        tell({ type: 'DELETED', object: object('b', '10') })
      },
    ],
  )
  await watch.synced
  await expect.poll(() => heard).toEqual(['- > a@3', '- > b@6', 'a@3 > a@7', 'b@6 > -'])
  expect([...watch.items.keys()]).toEqual(['a'])
})

test('a watch that ended goes on from the last version it heard, a bookmark too', async () => {
  const paths: string[] = []
  follow(
    [list('5')],
    [
      (tell) => tell({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } }),
      (_tell, path) => void paths.push(path),
    ],
  )
  await expect.poll(() => paths.length).toBe(1)
  expect(paths[0]).toContain('resourceVersion=9')
})

test.each([
  ['as an answer', () => Promise.reject(new ApiError('gone', 410))],
  [
    'as an event',
    (tell: (event: object) => void) => tell({ type: 'ERROR', object: { code: 410 } }),
  ],
])('after 410 %s the difference to a new list is heard', async (_how, gone) => {
  const { heard, troubles } = follow(
    [
      list('5', object('a', '1'), object('b', '2'), object('c', '3'), object('d', '4', 'old')),
      list('20', object('a', '1'), object('b', '12'), object('d', '13', 'new')),
    ],
    [gone],
  )
  await expect
    .poll(() => heard.slice(4))
    .toEqual(['c@3 > -', 'b@2 > b@12', 'old@4 > -', '- > new@13'])
  expect(troubles).toEqual([])
})

test('a spell of failures is told once, and ends by itself', async () => {
  const fail = () => {
    throw new ApiError('no', 500)
  }
  const { heard, troubles } = follow(
    [list('5')],
    [fail, fail, fail, (tell) => tell({ type: 'ADDED', object: object('b', '6') })],
  )
  await expect.poll(() => heard).toEqual(['- > b@6'])
  expect(troubles).toEqual(['/api/v1/things: no'])
})
