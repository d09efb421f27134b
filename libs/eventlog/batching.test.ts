import { describe, expect, test } from 'vitest'
import { createBatching } from './batching.ts'

/** Items are words; two words with the same first letter must not travel together. */
const rig = (room = 100) => {
  const calls: string[][] = []
  const open: (() => void)[] = []
  const batching = createBatching<string, string>({
    send: async (lane, items) => {
      calls.push([lane, ...items])
      await new Promise<void>((answer) => open.push(answer))
      if (items.includes('bad')) throw new Error(`refused ${items.join()}`)
      return items.map((item) => item.toUpperCase())
    },
    touches: (item) => [item.charAt(0)],
    weight: (item) => item.length,
    room,
    mayDivide: () => true,
  })
  const answer = async (): Promise<void> => {
    open.shift()?.()
    await new Promise((later) => setImmediate(later))
  }
  return { batching, calls, answer }
}

describe('batching', () => {
  test('what comes while a call is on its way goes together as the next', async () => {
    const { batching, calls, answer } = rig()
    const results = ['ant', 'bee', 'cat'].map((word) => batching.run('x', word))
    await answer()
    await answer()
    expect(calls).toEqual([
      ['x', 'ant'],
      ['x', 'bee', 'cat'],
    ])
    expect(await Promise.all(results)).toEqual(['ANT', 'BEE', 'CAT'])
  })

  test('lanes do not wait for each other', () => {
    const { batching, calls } = rig()
    void batching.run('x', 'ant')
    void batching.run('y', 'bee')
    expect(calls).toEqual([
      ['x', 'ant'],
      ['y', 'bee'],
    ])
  })

  test('items that touch the same thing never share a call nor overtake each other', async () => {
    const { batching, calls, answer } = rig()
    for (const word of ['zoo', 'ant', 'bee', 'ape', 'bat', 'axe']) void batching.run('x', word)
    for (let call = 0; call < 4; call += 1) await answer()
    expect(calls).toEqual([
      ['x', 'zoo'],
      ['x', 'ant', 'bee'],
      ['x', 'ape', 'bat'],
      ['x', 'axe'],
    ])
  })

  test('a call is no heavier than its room, but a heavy item still travels', async () => {
    const { batching, calls, answer } = rig(6)
    for (const word of ['z', 'ant', 'bee', 'cat', 'dromedary']) void batching.run('x', word)
    for (let call = 0; call < 4; call += 1) await answer()
    expect(calls).toEqual([
      ['x', 'z'],
      ['x', 'ant', 'bee'],
      ['x', 'cat'],
      ['x', 'dromedary'],
    ])
  })

  test('one item that is refused does not take its neighbours with it', async () => {
    const { batching, answer } = rig()
    const results = ['zoo', 'ant', 'bad', 'cat'].map((word) => batching.run('x', word))
    const settled = Promise.allSettled(results)
    for (let call = 0; call < 5; call += 1) await answer()
    expect((await settled).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ])
  })
})
