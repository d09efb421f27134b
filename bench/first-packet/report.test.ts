import { expect, test } from 'vitest'
import { report, verdictsOf } from './report.ts'

const through = (shown: number, answered: number) => ({
  created: 0,
  FrontendsAllocated: 100,
  shown,
  'ready n1': answered,
  'answered e1': answered,
  'answered e2': answered + 5,
})
const seen = (services: readonly ReturnType<typeof through>[]) => ({
  machine: '2 processors',
  edges: ['e1', 'e2'],
  nodes: ['n1'],
  services,
})

test('our part is judged apart from what includes kube-proxy', () => {
  const services = [{ ...through(300, 1200), 'answered by all': 1205 }]
  expect(verdictsOf(services)).toEqual([
    'allocated to status shown, p99, ms: 200; aim at most 300: met',
    'allocated to answered by all edges, p99, ms: 1105; aim at most 300: not met',
  ])
})

test('a stage is a row, and JSON has the marks of each Service as well', () => {
  expect(report(seen([through(300, 1200)]), 'table')).toMatch(
    /^first answer through all edges +1205 +1205 +1205 +0 +0 +0 +1$/m,
  )
  const { services, rows } = JSON.parse(report(seen([through(300, 1200)]), 'json'))
  expect(services).toMatchObject([{ shown: 300, 'answered by all': 1205 }])
  expect(rows.at(-1)).toMatchObject({ sinceCreate: { p99: 1205 } })
})
