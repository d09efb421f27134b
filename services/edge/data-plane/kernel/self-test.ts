import { OperatingError } from '@weir/kernel'
import { mapNames, type Element, type MapName } from '../../domain/forwarding-elements.ts'
import { createNft, type Nft } from './nft.ts'
import type { RunProgram } from './run-program.ts'
import { scratchText, skeletonText, type SkeletonOptions } from './skeleton.ts'

/** Never hooked into an interface, and gone when the test ends. */
export const scratchName = 'weir_selftest'

/**
 * Whether nft takes the rules, and gives back what is written to their maps: versions differ, some print what
 * they can't read, and what can't be read back can't be repaired.
 * @throws OperatingError that names the version of an nft that is unfit
 */
export const testNft = async (run: RunProgram, options: SkeletonOptions): Promise<void> => {
  try {
    await run(['nft', '-c', '-f', '-'], skeletonText(options))
    await roundTrip(run, options)
  } catch (cause) {
    const version = (await run(['nft', '--version'])).trim()
    const what = 'does not take or give back the rules of a kernel edge'
    throw new OperatingError(`${version} ${what}; 1.0.6 and its successors do`, { cause })
  }
}

const roundTrip = async (run: RunProgram, made: SkeletonOptions): Promise<void> => {
  // What is written must not end by itself before it is read.
  const options = { ...made, pinSeconds: 3600 }
  const nft = createNft(run, options, scratchName)
  const anew = `table netdev ${scratchName}\ndelete table netdev ${scratchName}\n`
  await run(['nft', '-f', '-'], `${anew}${scratchText(options, scratchName)}`)
  try {
    await nft.commit({ deleted: [], added: samples })
    await run(['nft', '-f', '-'], `add element netdev ${scratchName} pinned { 0:1 . 7 : ${mac} }\n`)
    expectSame(samples.map(textOf), (await nft.elements(mapNames)).map(textOf))
    await expectToTell(nft)
    expectSame(
      ['0:1 7'],
      (await nft.pins()).map(({ service, flow }) => `${service} ${flow}`),
    )
    await nft.unpin(await nft.pins())
    await nft.commit({ deleted: samples, added: [] })
    expectSame([], (await nft.elements(mapNames)).map(textOf))
    await nft.takeCounts()
  } finally {
    await run(['nft', 'delete', 'table', 'netdev', scratchName])
  }
}

/** Slots are compared in this way. */
const expectToTell = async (nft: Nft): Promise<void> => {
  const slot: Element = { map: 'slots', ...samplesByMap.slots }
  const wrong: Element = { ...slot, value: otherMac }
  const missing: Element = { ...slot, key: '0:2 . 59' }
  const told = [
    await nft.wouldTake({ deleted: [], added: [slot] }),
    await nft.wouldTake({ deleted: [slot], added: [] }),
    !(await nft.wouldTake({ deleted: [], added: [wrong] })),
    !(await nft.wouldTake({ deleted: [missing], added: [] })),
  ]
  if (told.includes(false)) {
    throw new OperatingError('cannot tell a slot that is right from one that is wrong or missing')
  }
}

const otherMac = '02:00:00:00:00:02'
const mac = '02:00:00:00:00:01'
const frontend = '192.0.2.1 . 6 . 80'
const frontend6 = '2001:db8::1 . 17 . 53'

/** An element of every map as it is written. */
const samplesByMap: Readonly<Record<MapName, Omit<Element, 'map'>>> = {
  fe: { key: frontend, value: '0:1' },
  fe6: { key: frontend6, value: 'ab:cdef' },
  inner: { key: frontend, value: '0:1' },
  inner6: { key: frontend6, value: 'ab:cdef' },
  closing: { key: frontend },
  closing6: { key: frontend6 },
  restricted: { key: '0:1' },
  allow: { key: '0:1 . 198.51.100.0/24' },
  allow6: { key: '0:1 . 2001:db8:c::/48' },
  sticky: { key: '0:1' },
  keeps: { key: '0:1', value: 'goto keep_10800' },
  pool61: { key: '0:1', value: '0:2' },
  pool1021: { key: '0:1', value: '0:2' },
  pool65537: { key: '0:1', value: '0:2' },
  slots: { key: '0:2 . 60', value: mac },
  nodes: { key: `0:2 . ${mac}` },
}
const samples: readonly Element[] = mapNames.map((map) => ({ map, ...samplesByMap[map] }))

const textOf = ({ map, key, value }: Element): string => `${map} ${key} ${value ?? ''}`.trim()

const expectSame = (written: readonly string[], read: readonly string[]): void => {
  const lost = written.find((text) => !read.includes(text))
  const strange = read.find((text) => !written.includes(text))
  if (lost === undefined && strange === undefined) return
  throw new OperatingError(`wrote ${lost ?? 'nothing'}, and read ${strange ?? 'nothing'}`)
}
