import { expect, test } from 'vitest'
import { desiredOf } from '../rig/orders.ts'
import {
  afterProbe,
  healthRules,
  neverProbed,
  type NodeHealth,
  type ProbeAnswer,
} from './health.ts'
import { createRotation } from './rotation.ts'
import { usableTargets } from './usable-targets.ts'

const healthAfter = (...answers: ProbeAnswer[]): NodeHealth =>
  answers.reduce(
    (health, answer) => afterProbe(health, answer, { rules: healthRules, now: 0 }),
    neverProbed,
  )
const silent: ProbeAnswer = { kind: 'silent', problem: 'no answer' }
const fresh = neverProbed
const healthy = healthAfter({ kind: 'ready', weight: null })
const three = healthAfter({ kind: 'ready', weight: 3 })
const no = healthAfter({ kind: 'not-ready', weight: 0, problem: 'answered 503' })
const gone = healthAfter({ kind: 'ready', weight: null }, silent, silent)
const never = healthAfter(silent, silent)
const returning = healthAfter(silent, silent, { kind: 'ready', weight: 2 })
const unclear = healthAfter({ kind: 'unclear', problem: 'answered 200 without a weight' })

test.each<[string, [number, NodeHealth][], Record<string, number>]>([
  [
    'healthy nodes are used with the ordered weight',
    [
      [5, healthy],
      [1, healthy],
    ],
    { n1: 5, n2: 1 },
  ],
  [
    'the weight that a node tells wins',
    [
      [1, three],
      [1, healthy],
    ],
    { n1: 3, n2: 1 },
  ],
  [
    'ordered weight 0 is never used',
    [
      [0, healthy],
      [1, healthy],
    ],
    { n2: 1 },
  ],
  [
    'a node never heard of is used',
    [
      [1, fresh],
      [1, healthy],
    ],
    { n1: 1, n2: 1 },
  ],
  [
    'a node that says no is not',
    [
      [1, no],
      [1, healthy],
    ],
    { n2: 1 },
  ],
  [
    'a silent node is left out while others answer',
    [
      [1, gone],
      [1, healthy],
    ],
    { n2: 1 },
  ],
  [
    'silence of all empties nothing',
    [
      [1, gone],
      [1, never],
    ],
    { n1: 1, n2: 1 },
  ],
  [
    'a node that is not trusted yet is left out while others answer',
    [
      [1, returning],
      [1, healthy],
    ],
    { n2: 1 },
  ],
  [
    'a node that answers again is better than silent ones',
    [
      [1, returning],
      [1, gone],
      [1, never],
    ],
    { n1: 2 },
  ],
  [
    'silence does not bring back a node that said no',
    [
      [1, gone],
      [1, no],
    ],
    { n1: 1 },
  ],
  [
    'an unclear node is used only when nobody is sure',
    [
      [1, unclear],
      [1, healthy],
    ],
    { n2: 1 },
  ],
  [
    'unclear nodes are better than none',
    [
      [1, unclear],
      [1, no],
    ],
    { n1: 1 },
  ],
  [
    'when all say no there is nobody',
    [
      [1, no],
      [1, no],
    ],
    {},
  ],
  ['no targets, nobody', [], {}],
])('%s', (_rule, nodes, expected) => {
  const targets = nodes.map(([weight], at) => ({ node: `n${at + 1}`, ip: '10.0.0.1', weight }))
  const desired = desiredOf({ frontends: [], targets })
  const health = new Map(nodes.map(([, state], at) => [`n${at + 1}`, state]))
  const usable = usableTargets(desired.targets, ({ node }) => health.get(node) ?? neverProbed)
  expect(Object.fromEntries(usable.map(({ node, weight }) => [node, weight]))).toEqual(expected)
})

const none = new Set<string>()
const target = (node: string, weight: number) => ({ node, ip: '10.0.0.1', weight })
const share = (picks: readonly (string | undefined)[], node: string): number =>
  picks.filter((pick) => pick === node).length

test('a rotation gives each target its share within two choices, at every moment', () => {
  const rotation = createRotation(() => 0.3)
  rotation.retarget([target('a', 3), target('b', 1)])
  const picks: (string | undefined)[] = []
  for (let each = 1; each <= 400; each += 1) {
    picks.push(rotation.next(none)?.node)
    expect(Math.abs(share(picks, 'a') - each * 0.75)).toBeLessThanOrEqual(2)
  }
})

test('a rotation leaves out whom it is told to, and has nobody when all are out', () => {
  const rotation = createRotation(() => 0)
  rotation.retarget([target('a', 3), target('b', 1)])
  expect(rotation.next(new Set(['a']))?.node).toBe('b')
  expect(rotation.next(new Set(['a', 'b']))).toBeUndefined()
  rotation.retarget([])
  expect(rotation.next(none)).toBeUndefined()
})

test('new weights hold from the next choice on', () => {
  const rotation = createRotation(() => 0)
  rotation.retarget([target('a', 1000), target('b', 1)])
  for (let each = 0; each < 10; each += 1) rotation.next(none)
  rotation.retarget([target('a', 1), target('b', 1)])
  const picks = Array.from({ length: 100 }, () => rotation.next(none)?.node)
  expect(Math.abs(share(picks, 'a') - 50)).toBeLessThanOrEqual(2)
})

test('first choices of many rotations spread over the targets', () => {
  let draw = 0
  const picks = Array.from({ length: 90 }, () => {
    // Multiples of the golden ratio: even draws without randomness.
    const rotation = createRotation(() => {
      draw += 1
      return (draw * 0.618_033_988_7) % 1
    })
    rotation.retarget([target('a', 1), target('b', 1), target('c', 1)])
    return rotation.next(none)?.node
  })
  for (const node of ['a', 'b', 'c']) expect(share(picks, node)).toBeGreaterThan(15)
})
