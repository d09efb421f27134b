import { expect, test } from 'vitest'
import type { Cell, Load, Way } from './cells.ts'
import { tablesOf, verdictsOf } from './report.ts'

const cell = (way: Way, load: Load, numbers: Cell['numbers'], round = 0): Cell => ({
  round,
  way,
  load,
  numbers,
  resent: { segments: 1, syns: 0 },
  processors: { programs: 0.25, idle: 0.5 },
  failed: 0,
})

/** All loads of one way in one round. */
const measuredOn = (way: Way, rate: number, time: number, round = 0): readonly Cell[] => [
  cell(way, 'upload', { upload: rate }, round),
  cell(way, 'download', { download: rate }, round),
  cell(way, 'round trips', { p50: time, p99: time }, round),
  cell(way, 'requests', { requests: rate }, round),
  cell(way, 'connections', { connections: rate }, round),
]

test('aims are judged by ratios to the direct way', () => {
  const verdicts = verdictsOf([...measuredOn('direct', 10, 50), ...measuredOn('kernel', 8.8, 60)])
  expect(verdicts).toEqual([
    'kernel, upload, Gb/s: 0.88 of direct; aim at least 0.9: not met',
    'kernel, download, Gb/s: 0.88 of direct; aim at least 0.9: not met',
    'kernel, round trip p50, us: 1.20 of direct; aim at most 1.3: met',
    'kernel, new connections/s: 0.88 of direct; aim at least 0.85: met',
  ])
})

test('ahead means more of what is good, and less of what takes time', () => {
  const verdicts = verdictsOf([
    ...measuredOn('direct', 10, 50),
    ...measuredOn('kernel', 9, 60),
    ...measuredOn('envoy', 5, 90),
    ...measuredOn('haproxy', 5, 40),
  ])
  expect(verdicts.slice(-2)).toEqual([
    'kernel ahead of envoy in each: met',
    'kernel ahead of haproxy in each: not met, but for round trip p50, us; round trip p99, us',
  ])
})

test('a busy round weighs on both sides of its ratio, and not on the others', () => {
  const cells = [
    ...[10, 2, 12].flatMap((rate, round) => measuredOn('direct', rate, 50, round)),
    ...[9, 1.9, 11.4].flatMap((rate, round) => measuredOn('kernel', rate, 50, round)),
  ]
  const [upload] = tablesOf(cells).split('\n\n')
  expect(upload?.split('\n').at(-1)).toMatch(
    /^kernel +9\.00 +0\.95 +0\.90 0\.95 0\.95 +3 +0 +0 +25 % +50 %$/,
  )
})
