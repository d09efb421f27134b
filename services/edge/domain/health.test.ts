import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  afterProbe,
  neverProbed,
  readAnswer,
  type HealthRules,
  type NodeHealth,
  type ProbeAnswer,
} from './health.ts'

const ready: ProbeAnswer = { kind: 'ready', weight: null }
const no: ProbeAnswer = { kind: 'not-ready', weight: 0, problem: 'answered 503' }
const silent: ProbeAnswer = { kind: 'silent', problem: 'no answer' }
const unclear: ProbeAnswer = { kind: 'unclear', problem: 'answered 200 without a weight' }
const rules: HealthRules = {
  fall: 2,
  rise: 2,
  holdMinMs: 10_000,
  holdMaxMs: 40_000,
  calmMs: 60_000,
}
/** Answers of a node that is asked every two seconds, beginning at 0. */
const after = (...answers: ProbeAnswer[]): NodeHealth =>
  answers.reduce(
    (health, answer, nth) => afterProbe(health, answer, { rules, now: nth * 2_000 }),
    neverProbed,
  )
const times = (count: number, answer: ProbeAnswer): ProbeAnswer[] => Array(count).fill(answer)
const fall = times(2, silent)

test.each<[string, ProbeAnswer[], NodeHealth['state'], NodeHealth['lastWord']]>([
  ['nothing is known before the first probe', [], 'unknown', 'none'],
  ['one good answer makes healthy', [ready], 'healthy', 'ready'],
  ['one 503 makes unhealthy', [ready, no], 'unhealthy', 'not-ready'],
  ['one good answer heals a 503', [no, ready], 'healthy', 'ready'],
  [
    'a 503 and a 200 in turns are no flapping',
    [no, ready, no, ready, no, ready],
    'healthy',
    'ready',
  ],
  ['one silence changes nothing', [ready, silent], 'healthy', 'ready'],
  ['two silences are a fall, and the last word stays', [ready, ...fall], 'unhealthy', 'ready'],
  ['silences count only in a row', [ready, silent, ready, silent], 'healthy', 'ready'],
  ['silence does not undo a no', [no, silent, ...fall], 'unhealthy', 'not-ready'],
  ['an unclear answer makes unknown', [ready, unclear], 'unknown', 'unclear'],
  ['one good answer does not undo a fall', [...fall, ready], 'unhealthy', 'ready'],
  ['two in a row do, the first time', [...fall, ready, ready], 'healthy', 'ready'],
  ['a silence between them begins it anew', [...fall, ready, silent, ready], 'unhealthy', 'ready'],
  ['an answer is an answer, whatever it says', [...fall, no, ready], 'healthy', 'ready'],
  ['a 503 counts at once, fallen or not', [...fall, ready, no], 'unhealthy', 'not-ready'],
  [
    'a fallen one that comes back unclear is unknown',
    [...fall, ready, unclear],
    'unknown',
    'unclear',
  ],
])('%s', (_rule, answers, state, lastWord) => {
  expect(after(...answers)).toMatchObject({ state, lastWord })
})

/** A node that answers and falls again and again; each time it answers until it is back, once more. */
const backAfter = (falls: number, calm = 0): number[] => {
  let [health, now] = [neverProbed, 0]
  const probe = (answer: ProbeAnswer): void => {
    health = afterProbe(health, answer, { rules, now: (now += 2_000) })
  }
  return Array.from({ length: falls }, () => {
    for (const answer of fall) probe(answer)
    const fellAt = now
    while (health.state !== 'healthy') probe(ready)
    const backAt = now
    for (let probes = 0; probes < calm / 2_000; probes += 1) probe(ready)
    return backAt - fellAt
  })
}

test('a node that keeps falling is left out for twice as long each time, up to a limit', () => {
  expect(backAfter(6)).toEqual([4_000, 10_000, 20_000, 40_000, 40_000, 40_000])
})

test('a node that answered for long enough is trusted like any other again', () => {
  expect(backAfter(3, 30_000)).toEqual([4_000, 10_000, 20_000])
  expect(backAfter(3, 60_000)).toEqual([4_000, 4_000, 4_000])
})

test('a node that is held down says until when, in the same words all the time', () => {
  const held = [...fall, ready, ready, ...fall]
  const problem = 'fell silent 2 times; left out until 1970-01-01T00:00:20.000Z'
  for (const count of [1, 2, 4]) {
    expect(after(...held, ...times(count, ready))).toMatchObject({ state: 'unhealthy', problem })
  }
  expect(after(...held, ...times(5, ready))).toMatchObject({ state: 'healthy', problem: null })
})

const anyAnswer = fc.constantFrom(ready, no, silent, unclear)

test('whatever a node does: silent long enough it is out, well long enough it is in', () => {
  fc.assert(
    fc.property(fc.array(anyAnswer, { maxLength: 100 }), (answers) => {
      expect(after(...answers, ...fall).state).toBe('unhealthy')
      const longest = rules.holdMaxMs / 2_000
      expect(after(...answers, ...times(longest + rules.rise, ready)).state).toBe('healthy')
    }),
  )
})

test('a node that was never silent is what it said last', () => {
  fc.assert(
    fc.property(fc.array(anyAnswer, { maxLength: 100 }), (answers) => {
      const heard = answers.filter(({ kind }) => kind !== 'silent')
      expect(after(...heard, ready).state).toBe('healthy')
      expect(after(...answers, no)).toMatchObject({ state: 'unhealthy', lastWord: 'not-ready' })
    }),
  )
})

const answer = (status: number, weightHeader?: string, body = '') => ({
  status,
  weightHeader,
  body,
})

test.each([
  ['200 is ready where no weight is due', answer(200), false, 'ready', null],
  ['503 is a no', answer(503), false, 'not-ready', null],
  ['another status is no answer of kube-proxy', answer(404), false, 'silent', undefined],
  ['the header is the weight', answer(200, '3'), true, 'ready', 3],
  [
    'an older kube-proxy tells it in JSON',
    answer(200, undefined, '{"localEndpoints": 2}'),
    true,
    'ready',
    2,
  ],
  ['the header wins over JSON', answer(200, '3', '{"localEndpoints": 2}'), true, 'ready', 3],
  ['a bare 200 is unclear where a weight is due', answer(200), true, 'unclear', undefined],
  ['a header that is no number is unclear', answer(200, 'many'), true, 'unclear', undefined],
  ['weight 0 is a no, whatever the status', answer(200, '0'), true, 'not-ready', 0],
  ['503 is weight 0', answer(503, '0'), true, 'not-ready', 0],
])('%s', (_rule, given, weightFromHeader, kind, weight) => {
  const read = readAnswer(given, weightFromHeader)
  expect(read.kind).toBe(kind)
  expect('weight' in read ? read.weight : undefined).toBe(weight)
})
