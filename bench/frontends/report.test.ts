import { expect, test } from 'vitest'
import { report, verdictsOf, type Measured, type Storm } from './report.ts'

const kernel = (size: number, add: readonly number[], load = 9000): Measured => ({
  name: 'kernel',
  size,
  load,
  add,
  remove: add,
  remap: add,
  addMeanwhile: [],
})
const haproxy: Measured = {
  name: 'haproxy',
  size: 4000,
  load: 800,
  add: [640],
  remove: [640],
  remap: [],
  addMeanwhile: [],
}
const calm: Storm = {
  size: 10_000,
  perSecond: 1000,
  seconds: 30,
  made: 30_000,
  ms: 30_010,
  took: [5],
  differed: 0,
  opened: 500,
  alive: 500,
}

test('adding is judged by its middle against a small table, and by its slowest', () => {
  const verdicts = verdictsOf([kernel(1000, [10, 10, 10]), kernel(50_000, [12, 14, 30])], calm)
  expect(verdicts).toEqual([
    'add at 50k / at 1k: 1.4; aim at most 1.5: met',
    'add at 50k p99, ms: 29.68; aim at most 25: not met',
    'cold load of 50k, s: 9; aim at most 10: met',
    'changes behind their pace, s: 0.01; aim at most 1: met',
    'connections broken of 500: 0; aim at most 0: met',
  ])
})

test('adding is judged against each other program with as many frontends', () => {
  expect(verdictsOf([kernel(4000, [16]), haproxy, { ...haproxy, size: 500 }], calm)[0]).toBe(
    "add at 4000 / haproxy's: 0.03; aim at most 1: met",
  )
})

test('one broken connection is one too many, and sizes that were not measured have no verdict', () => {
  expect(verdictsOf([kernel(1000, [10])], { ...calm, alive: 499 })).toEqual([
    'changes behind their pace, s: 0.01; aim at most 1: met',
    'connections broken of 500: 1; aim at most 0: not met',
  ])
})

test('what a program cannot do is left out of its row', () => {
  expect(report([haproxy], calm)).toMatch(
    /^haproxy 4000 +0\.8 +640\.0 \/ 640\.0 +640\.0 \/ 640\.0 +- +- +-$/m,
  )
})
