import { expect, test } from 'vitest'
import { afterProbe, neverProbed, readAnswer, type NodeHealth, type ProbeAnswer } from './health.ts'

const ready: ProbeAnswer = { kind: 'ready', weight: null }
const no: ProbeAnswer = { kind: 'not-ready', weight: 0, problem: 'answered 503' }
const silent: ProbeAnswer = { kind: 'silent', problem: 'no answer' }
const unclear: ProbeAnswer = { kind: 'unclear', problem: 'answered 200 without a weight' }
const after = (...answers: ProbeAnswer[]): NodeHealth =>
  answers.reduce((health, answer) => afterProbe(health, answer, 2), neverProbed)

test.each<[string, ProbeAnswer[], NodeHealth['state'], NodeHealth['lastWord']]>([
  ['nothing is known before the first probe', [], 'unknown', 'none'],
  ['one good answer makes healthy', [ready], 'healthy', 'ready'],
  ['one 503 makes unhealthy', [ready, no], 'unhealthy', 'not-ready'],
  ['one good answer heals a 503', [no, ready], 'healthy', 'ready'],
  ['one silence changes nothing', [ready, silent], 'healthy', 'ready'],
  [
    'two silences make unhealthy, and the last word stays',
    [ready, silent, silent],
    'unhealthy',
    'ready',
  ],
  ['silences count only in a row', [ready, silent, ready, silent], 'healthy', 'ready'],
  ['silence does not undo a no', [no, silent, silent, silent], 'unhealthy', 'not-ready'],
  ['an unclear answer makes unknown', [ready, unclear], 'unknown', 'unclear'],
])('%s', (_rule, answers, state, lastWord) => {
  expect(after(...answers)).toMatchObject({ state, lastWord })
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
