import type { AppendOutcome, AppendRequest, EventLog } from '@weir/eventlog'
import { expect, test } from 'vitest'
import { timeProgramming } from './measure.ts'

test('a resource is timed from its intent to its confirmation, each generation by itself', async () => {
  const seconds: number[] = []
  const stage = (_stage: string, took: number): void => void seconds.push(took)
  const start = Date.parse('2026-01-01T00:00:00Z')
  const said = (type: string, generation: number, afterMs: number): AppendOutcome => {
    const recordedtime = new Date(start + afterMs).toISOString()
    const event = { type, data: { generation }, subject: 'resource-edge-web', recordedtime }
    return { status: 'appended', events: [event as never] }
  }
  const answers = [
    said('ResourceIntended', 1, 0),
    said('TargetsChanged', 2, 40),
    said('ResourceProgrammed', 2, 100),
    said('ResourceProgrammed', 3, 200),
    { status: 'repeated', from: 1, to: 1 } as const,
  ]
  const outcomes = [...answers]
  const log = { append: async () => outcomes.shift() } as unknown as EventLog
  const timed = timeProgramming(log, { stage })
  const request = {} as AppendRequest
  for (const answer of answers) expect(await timed.append(request)).toBe(answer)
  expect(seconds).toEqual([0.06])
})
