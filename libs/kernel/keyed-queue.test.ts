import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createKeyedQueue } from './keyed-queue.ts'

/** Tasks that end when told, and a record of what began. */
const controlled = () => {
  const began: string[] = []
  const gates = new Map<string, PromiseWithResolvers<string>>()
  const task = (name: string) => (): Promise<string> => {
    began.push(name)
    const gate = Promise.withResolvers<string>()
    gates.set(name, gate)
    return gate.promise
  }
  const end = (name: string): void => gates.get(name)?.resolve(name)
  const fail = (name: string): void => gates.get(name)?.reject(new Error(name))
  return { began, task, end, fail }
}
/** Lets every promise that is due have its turn. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('tasks of one key', () => {
  test('run one at a time, in the order they came', async () => {
    const { began, task, end } = controlled()
    const queue = createKeyedQueue(10)
    const runs = ['a1', 'a2', 'a3'].map((name) => queue.run('a', task(name)))
    await settle()
    expect(began).toEqual(['a1'])
    end('a1')
    await settle()
    expect(began).toEqual(['a1', 'a2'])
    end('a2')
    await settle()
    end('a3')
    expect(await Promise.all(runs)).toEqual(['a1', 'a2', 'a3'])
  })

  test('go on after one that failed, which fails its own caller alone', async () => {
    const { began, task, end, fail } = controlled()
    const queue = createKeyedQueue(10)
    const first = queue.run('a', task('a1'))
    const second = queue.run('a', task('a2'))
    await settle()
    fail('a1')
    await expect(first).rejects.toThrow('a1')
    await settle()
    end('a2')
    expect(await second).toBe('a2')
    expect(began).toEqual(['a1', 'a2'])
  })

  test('go on after one that threw before it waited', async () => {
    const queue = createKeyedQueue(1)
    const thrown = queue.run('a', () => {
      throw new Error('at once')
    })
    await expect(thrown).rejects.toThrow('at once')
    expect(await queue.run('a', async () => 'next')).toBe('next')
  })
})

describe('tasks of many keys', () => {
  test('run beside each other up to the bound', async () => {
    const { began, task, end } = controlled()
    const queue = createKeyedQueue(2)
    const runs = ['a', 'b', 'c'].map((key) => queue.run(key, task(key)))
    await settle()
    expect(began).toEqual(['a', 'b'])
    end('b')
    await settle()
    expect(began).toEqual(['a', 'b', 'c'])
    end('a')
    end('c')
    await Promise.all(runs)
  })
})

describe('idle', () => {
  test('is at once where nothing runs', async () => {
    await expect(createKeyedQueue(1).idle()).resolves.toBeUndefined()
  })

  test('waits for what runs and for what waits', async () => {
    const { task, end } = controlled()
    const queue = createKeyedQueue(1)
    const runs = [queue.run('a', task('a')), queue.run('b', task('b'))]
    let idle = false
    const told = queue.idle().then(() => (idle = true))
    await settle()
    end('a')
    await settle()
    expect(idle).toBe(false)
    end('b')
    await Promise.all([...runs, told])
    expect(idle).toBe(true)
  })
})

test('no bound is passed and no key meets itself, whatever comes', async () => {
  const keys = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(keys, fc.integer({ min: 1, max: 5 }), async (order, bound) => {
      const queue = createKeyedQueue(bound)
      const running = new Map<string, number>()
      const ended: number[] = []
      const results = order.map((key, index) =>
        queue.run(key, async () => {
          running.set(key, (running.get(key) ?? 0) + 1)
          expect(running.get(key)).toBe(1)
          expect([...running.values()].reduce((sum, n) => sum + n, 0)).toBeLessThanOrEqual(bound)
          await settle()
          running.set(key, 0)
          ended.push(index)
        }),
      )
      await Promise.all(results)
      for (const key of order) {
        const mine = ended.filter((index) => order[index] === key)
        expect(mine).toEqual(mine.toSorted((a, b) => a - b))
      }
    }),
    { numRuns: 25 },
  )
})
