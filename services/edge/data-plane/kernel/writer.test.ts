import { resourceKey } from '@weir/contract'
import { OperatingError, silentLogger } from '@weir/kernel'
import { expect, test } from 'vitest'
import { weightOf } from '../../domain/forwarding-changes.ts'
import { elementsOf, mapNames, type Element } from '../../domain/forwarding-elements.ts'
import { createForwardingModel, type Wanted } from '../../domain/forwarding-model.ts'
import { emptyTable, type FrontendState } from '../../domain/forwarding-table.ts'
import { createKernel, sorted } from '../../rig/forwarding.ts'
import type { Nft } from './nft.ts'
import { createWriter } from './writer.ts'

const wish = (number: number, state: FrontendState = 'open'): Wanted => ({
  key: resourceKey.parse(`web-00000000-0000-4000-8000-${String(number).padStart(12, '0')}`),
  frontends: new Map([
    [`203.0.113.${number} . 6 . 80`, state],
    [`2001:db8::${number} . 6 . 80`, state],
  ]),
  ranges: [],
  affinity: 60,
  // A set for each, so that there are slots for more than one look.
  nodes: [{ node: 'n1', weight: 1, mac: `02:00:00:00:00:${String(number).padStart(2, '0')}` }],
})
const wishes = Array.from({ length: 40 }, (_, number) => wish(number))

/** A kernel that takes so many elements in one transaction, and otherwise none of it. */
const startWriter = (most = Infinity) => {
  const kernel = createKernel()
  const sizes: number[] = []
  const looks: string[] = []
  const stop = new AbortController()
  const unused = () => Promise.reject(new Error('not asked here'))
  const nft: Nft = {
    isLoaded: () => Promise.resolve(true),
    load: unused,
    commit: async (change) => {
      sizes.push(weightOf(change))
      if (weightOf(change) > most) throw new OperatingError('Message too long')
      kernel.commit(change)
    },
    elements: async (maps) => {
      looks.push(maps.join())
      return kernel.held().filter(({ map }) => maps.includes(map))
    },
    wouldTake: async ({ deleted, added }) => {
      looks.push(`${deleted.length + added.length} slots`)
      const isMissing = ({ map, key }: Element): boolean => kernel.value(map, key) === undefined
      const isWrong = ({ map, key, value }: Element): boolean =>
        (kernel.value(map, key) ?? value) !== value
      return !deleted.some(isMissing) && !added.some(isWrong)
    },
    pins: unused,
    clients: unused,
    unpin: unused,
    takeCounts: unused,
  }
  const model = createForwardingModel(emptyTable, 0)
  const writer = createWriter({ nft, model, log: silentLogger, signal: stop.signal })
  const expectRight = (): void => {
    expect(sorted(kernel.held())).toEqual(sorted(elementsOf(model.table())))
  }
  const verify = (): Promise<readonly string[]> => writer.verify(() => undefined)
  return { writer, verify, kernel, sizes, looks, stop, expectRight }
}

test('a kernel that takes few elements at once gets them in more transactions, each once', async () => {
  const { writer, verify, sizes, looks, expectRight } = startWriter(90)
  await Promise.all(wishes.map((each) => writer.want(each)))
  expectRight()
  expect(sizes.filter((size) => size > 90).length).toBeGreaterThan(0)
  const tries = sizes.length
  await writer.want(wish(41))
  // It knows by now.
  expect(sizes.slice(tries).filter((size) => size > 90)).toEqual([])
  // What is compared at once has to fit as well.
  expect(await verify()).toEqual([])
  const compared = looks.flatMap((look) => /^(\d+) slots$/.exec(look)?.[1] ?? []).map(Number)
  expect(Math.max(...compared)).toBeLessThanOrEqual(90)
})

test('one change that is too long by itself is refused', async () => {
  const { writer } = startWriter(1)
  await expect(writer.want(wish(1))).rejects.toThrow('Message too long')
})

/** Everything there is, closing frontends included. */
const startServing = async () => {
  const started = startWriter()
  await Promise.all(wishes.map((each) => started.writer.want(each)))
  await started.writer.want(wish(39, 'closing'))
  return started
}

const anyOf = (held: readonly Element[], map: string): Element => {
  const found = held.findLast((element) => element.map === map)
  if (found) return found
  throw new Error(`nothing is in ${map}`)
}
const filledMaps = mapNames.filter(
  (name) => !['allow', 'allow6', 'pool1021', 'pool65537'].includes(name),
)

test.each(filledMaps)('what somebody takes out of %s is found and put back', async (map) => {
  const { verify, kernel, looks, expectRight } = await startServing()
  expect(await verify()).toEqual([])
  expect(looks).not.toContain(mapNames.join())
  const lost = anyOf(kernel.held(), map)
  kernel.commit({ deleted: [lost], added: [] })
  expect(await verify()).toEqual([`${map} ${lost.key} was missing`])
  expectRight()
  expect(await verify()).toEqual([])
})

test('what somebody leads elsewhere, and what nobody ordered, is found and put right', async () => {
  const { verify, kernel, expectRight } = await startServing()
  const slot = anyOf(kernel.held(), 'slots')
  kernel.commit({ deleted: [slot], added: [{ ...slot, value: '02:00:00:00:00:99' }] })
  expect(await verify()).toEqual([
    `slots ${slot.key} was 02:00:00:00:00:99 instead of ${slot.value}`,
  ])
  expectRight()
  const strays: Element[] = [
    { map: 'fe', key: '198.51.100.1 . 6 . 80', value: '0:1' },
    { map: 'allow', key: '0:1 . 0.0.0.0/0' },
  ]
  kernel.commit({ deleted: [], added: strays })
  expect(await verify()).toEqual(strays.map(({ map, key }) => `${map} ${key} was not ordered`))
  expectRight()
})

test('a table is compared between wishes, and as it is by then', async () => {
  const { writer, verify, looks, expectRight } = await startServing()
  const order: string[] = []
  const verifying = verify().then((differed) => {
    order.push('compared')
    return differed
  })
  // Services come and go while it is compared, and what it has yet to look at changes.
  for (const number of [41, 42, 43]) {
    await writer.want(wish(number))
    await writer.want({ ...wish(number - 3), frontends: new Map(), nodes: [] })
    order.push('served')
  }
  expect(await verifying).toEqual([])
  expect(order).toEqual(['served', 'served', 'served', 'compared'])
  expect(looks.filter((look) => look.endsWith('slots')).length).toBeGreaterThan(1)
  expectRight()
})

test('whoever comes after a burst of wishes has the next turn, however many follow', async () => {
  const { writer, sizes } = startWriter()
  await Promise.all(wishes.map((each) => writer.want(each)))
  const before = sizes.length
  const settled = { by: Infinity }
  const idle = writer.idle().then(() => (settled.by = sizes.length - before))
  for (const number of [41, 42, 43, 44, 45]) await writer.want(wish(number))
  await idle
  expect(settled.by).toBeLessThanOrEqual(1)
})

test('a table is compared no further once the data plane is closed', async () => {
  const { verify, looks, stop } = startWriter()
  const verifying = verify()
  stop.abort()
  await expect(verifying).rejects.toThrow('the data plane was closed')
  expect(looks).toEqual([])
})
