import { ipAddress } from '@weir/contract'
import { expect, test } from 'vitest'
import { desiredOf } from '../rig/orders.ts'
import { callsOf, callsOfAll, createReturns, type ReturnAnswer } from './direct-return.ts'

const everyMs = 30_000
const nodes = [
  { node: 'a', ip: '10.0.0.1' },
  { node: 'b', ip: '10.0.0.2' },
]
const web = { ip: '203.0.113.10', protocol: 'TCP', port: 80, nodePort: 30_080 }
const desiredWith = (over: object = {}) =>
  desiredOf({
    frontends: [{ ...web, protocol: 'UDP' }, web],
    targets: nodes.map((node) => ({ ...node, weight: 1 })),
    ...over,
  })
const calls = callsOf(desiredWith(), nodes)
const [a, b] = calls
const silentNodes = (returns: ReturnType<typeof createReturns>) =>
  returns.findings().flatMap(({ silent }) => silent.map(({ node }) => node))

/** What is known of node a after these answers, one every half minute. */
const after = (...answers: readonly ReturnAnswer[]) => {
  const returns = createReturns(everyMs)
  answers.forEach((answer, turn) => a && returns.note(a, answer, turn * everyMs))
  const [found] = returns.findings()
  if (found === undefined) return 'unknown'
  return found.silent.length > 0 ? 'silent' : 'answering'
}

test('a node is called by a TCP frontend of its family, and by its own node port', () => {
  expect(calls).toMatchObject([
    { node: 'a', nodeIp: '10.0.0.1', vip: '203.0.113.10', port: 80, nodePort: 30_080 },
    { node: 'b', nodeIp: '10.0.0.2' },
  ])
})

test.each([
  ['has source ranges, for the edge may be outside', { sourceRanges: ['198.51.100.0/24'] }],
  [
    'has no node port, for nothing tells then why nobody answers',
    { frontends: [{ ...web, nodePort: undefined }] },
  ],
  ['has UDP alone', { frontends: [{ ...web, protocol: 'UDP' }] }],
  ['has addresses of another family', { frontends: [{ ...web, ip: '2001:db8:f::10' }] }],
])('no node is called for a Service that %s', (_, over) => {
  expect(callsOf(desiredWith(over), nodes)).toEqual([])
})

test('one resource tells of all nodes of a cluster under Cluster, each of its own under Local', () => {
  const served = (policy: string, count: number) =>
    Array.from({ length: count }, () => ({ desired: desiredWith({ policy }), usable: nodes }))
  const names = (all: ReturnType<typeof callsOfAll>) => all.map(({ node }) => node)
  expect(names(callsOfAll(served('Cluster', 100)))).toEqual(['a', 'b'])
  expect(callsOfAll(served('Local', 3))).toHaveLength(3 * nodes.length)
  const shut = {
    desired: desiredWith({ policy: 'Cluster', sourceRanges: ['10.0.0.0/8'] }),
    usable: nodes,
  }
  const some = callsOfAll([shut, ...served('Cluster', 2)])
  expect(names(some), 'the first cannot be called').toEqual(['a', 'b'])
})

test.each<[ReturnType<typeof after>, readonly ReturnAnswer[]]>([
  ['answering', ['answered']],
  ['unknown', ['silent', 'silent']],
  ['silent', ['silent', 'silent', 'silent']],
  ['silent', ['silent', 'unknown', 'silent', 'silent']],
  ['answering', ['silent', 'silent', 'answered', 'silent', 'silent']],
  ['answering', ['silent', 'silent', 'silent', 'answered']],
  ['silent', ['answered', 'silent', 'silent', 'silent', 'unknown']],
  ['unknown', ['unknown', 'unknown', 'unknown', 'unknown']],
])('a node is %s after %j', (state, answers) => expect(after(...answers)).toBe(state))

test('what is told names the node, the frontend and since when, and forgets nodes that are gone', () => {
  const returns = createReturns(everyMs)
  if (!a || !b) throw new Error('two nodes are called')
  returns.note(b, 'answered', 0)
  for (const turn of [1, 2, 3]) returns.note(a, 'silent', turn * 1000)
  expect(returns.findings()).toMatchObject([
    {
      tenant: 'acme',
      answering: ['b'],
      silent: [{ node: 'a', frontend: '203.0.113.10:80/TCP', since: '1970-01-01T00:00:01.000Z' }],
    },
  ])
  returns.due([b], 0)
  expect(silentNodes(returns)).toEqual([])
})

test('a node that answers in one family and not in the other is silent', () => {
  const returns = createReturns(everyMs)
  if (!a) throw new Error('a node is called')
  returns.note(a, 'answered', 0)
  const six = { ...a, vip: ipAddress.parse('2001:db8:f::10') }
  for (const turn of [1, 2, 3]) returns.note(six, 'silent', turn)
  expect(returns.findings()).toMatchObject([{ answering: [], silent: [{ node: 'a' }] }])
})

test('who does not answer is called again soon, who does much later, and so is what misses one', () => {
  const returns = createReturns(everyMs)
  const [{ length }, whoAt] = [
    calls,
    (now: number) => returns.due(calls, now).map(({ node }) => node),
  ]
  expect(whoAt(0)).toHaveLength(length)
  if (!a || !b) throw new Error('two nodes are called')
  returns.note(a, 'answered', 0)
  returns.note(b, 'unknown', 0)
  expect(whoAt(everyMs - 1)).toEqual([])
  expect(whoAt(everyMs)).toEqual(['b'])
  expect(whoAt(10 * everyMs)).toEqual(['b', 'a'])
  returns.note(a, 'silent', 10 * everyMs)
  returns.note(b, 'unknown', 10 * everyMs)
  expect(whoAt(11 * everyMs)).toHaveLength(length)
})

test('names of nodes that fill a message are told of as many clusters as there is room for', () => {
  const returns = createReturns(everyMs)
  for (let cluster = 0; cluster < 40; cluster += 1) {
    for (let node = 0; node < 50; node += 1) {
      const marks = {
        ...a!.marks,
        cluster: `5e1f0000-0000-4000-8000-${String(cluster).padStart(12, '0')}`,
      }
      const call = { ...a!, marks: marks as never, node: `${'\u00e4'.repeat(200)}-${node}` }
      for (let turn = 0; turn < 3; turn += 1) returns.note(call, 'silent', turn)
    }
  }
  const told = returns.findings()
  expect(told.length).toBeGreaterThan(0)
  expect(Buffer.byteLength(JSON.stringify(told))).toBeLessThan(62_000)
})
