import { expect, test } from 'vitest'
import { createAffinityTable } from './affinity.ts'

test('a client keeps its node until the time-out after its last flow', () => {
  const table = createAffinityTable(10)
  table.remember('c1', 'n1', 1_000)
  expect(table.nodeOf('c1', 2_000, 1_000)).toBe('n1')
  expect(table.nodeOf('c1', 2_001, 1_000)).toBeUndefined()
  expect(table.size).toBe(0)
})

test('an unknown client has no node', () => {
  expect(createAffinityTable(10).nodeOf('c1', 0, 1_000)).toBeUndefined()
})

test('when the table is full the client that was quiet longest is forgotten', () => {
  const table = createAffinityTable(2)
  table.remember('c1', 'n1', 1)
  table.remember('c2', 'n2', 2)
  table.remember('c1', 'n1', 3)
  table.remember('c3', 'n3', 4)
  expect(table.nodeOf('c2', 5, 1_000)).toBeUndefined()
  expect(table.nodeOf('c1', 5, 1_000)).toBe('n1')
  expect(table.nodeOf('c3', 5, 1_000)).toBe('n3')
})
