import { expect, test } from 'vitest'
import { between, completed, rowsOf, stagesFor, type Marks } from './stages.ts'

const edges = ['e1', 'e2']
const nodes = ['n1', 'n2']
const seen: Marks = {
  created: 1000,
  accepted: 1010,
  told: 1100,
  'applied e1': 1120,
  'applied e2': 1130,
  'reported e1': 1150,
  'reported e2': 1140,
  ResourceProgrammed: 1155,
  shown: 1160,
  'ready n1': 1300,
  'ready n2': 1200,
  'answered e1': 1205,
  'answered e2': 1310,
}
const rowOf = (what: string, services: readonly Marks[]) =>
  rowsOf(stagesFor(edges, nodes), services).find((row) => row.what === what)

test('a stage’s own time begins with the last of what it waits for', () => {
  const programmed = rowOf('log: ResourceProgrammed', [seen])
  expect(programmed?.sinceCreate.p50).toBe(155)
  expect(programmed?.own.p50).toBe(5)
})

test('an answer waits for the first node that is ready, and counts when every edge let it through', () => {
  const marks = completed(seen, edges, nodes)
  expect(rowOf('first answer through e1', [marks])?.own.p50).toBe(5)
  expect(rowOf('first answer through all edges', [marks])?.sinceCreate.p50).toBe(310)
  const { 'answered e2': _, ...oneEdge } = seen
  expect(rowOf('first answer through all edges', [completed(oneEdge, edges, nodes)])?.count).toBe(0)
})

test('a Service without a mark counts in no row that needs it', () => {
  const { told: _, ...untold } = seen
  const rows = [rowOf('bus: order told', [seen, untold]), rowOf('e1: in the kernel', [untold])]
  expect(rows.map((row) => row?.count)).toEqual([1, 1])
  expect(between(untold, ['told'], 'applied e1')).toEqual([])
})

test('the middle, the slowest hundredth and the slowest are told of all Services', () => {
  const services = Array.from({ length: 101 }, (_, ms) => ({ created: 5, accepted: 5 + ms }))
  const accepted = rowOf('the API server has answered', services)
  expect(accepted?.sinceCreate).toEqual({ p50: 50, p99: 99, max: 100 })
})

test('every stage but the first waits for one that is told before it', () => {
  const known = new Set(['ready on a node'])
  for (const { mark, after } of stagesFor(edges, nodes)) {
    expect(after.filter((one) => !known.has(one))).toEqual([])
    known.add(mark)
  }
})
