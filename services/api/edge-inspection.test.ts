import { createMemoryBus } from '@weir/bus'
import {
  desiredHash,
  desiredResource,
  driverName,
  edgeAnswerSubject,
  edgeHeartbeat,
  edgeId,
  edgeQuestion,
  edgeQuestionSubject,
  fleetName,
  type EdgeAnswer,
  type EdgeLooking,
} from '@weir/contract'
import { createLogFollower } from '@weir/drivers'
import { systemClock, systemIds } from '@weir/kernel'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { inspectEdges, type InspectedEdge } from './edge-inspection.ts'
import { openApi, requested, said, type Api } from './rig/api.ts'

const service = '0b2c7d1e-64f3-4c55-8f2a-91d7e0a4b6c3'
const fleet = fleetName.parse('local')
const desired = desiredResource.parse({
  marks: {
    installation: 'ours',
    tenant: 'acme',
    cluster: '5a8f7a52-0c1e-4a7b-9d1c-3a1f7c2b9e10',
    service,
    key: `edge-${service}`,
    epoch: 1,
  },
  driver: 'edge',
  generation: 2,
  frontends: [{ ip: '127.1.0.1', protocol: 'TCP', port: 80, nodePort: 30_080 }],
  targets: [],
  policy: 'Cluster',
  health: { port: 10_256, path: '/healthz', weightFromHeader: false },
  sourceRanges: [],
  affinity: { kind: 'None' },
  proxyProtocol: 'none',
})
const { key } = desired.marks
const intended = said('ResourceIntended', {
  key,
  epoch: 1,
  generation: 2,
  driver: 'edge',
  externalName: `${key}-1`,
  desired,
})
const removed = said('ResourceDeleteIntended', {
  key,
  epoch: 1,
  reason: 'released',
  evidence: 'the Service is gone',
})
type Held = EdgeAnswer['resources'][number]
const held: Held = {
  marks: desired.marks,
  generation: 2,
  hash: desiredHash(desired),
  state: 'serving',
  problem: null,
  frontends: desired.frontends.map(({ ip, protocol, port }) => ({ ip, protocol, port })),
  targets: [],
  flows: null,
}
const beatOf = (edge: string) =>
  edgeHeartbeat.parse({
    fleet,
    edge,
    dataPlane: 'kernel',
    startedAt: '2026-01-01T00:00:00.000Z',
    at: '2026-01-01T00:00:00.000Z',
    resources: [],
  })

let api: Api
const life = new AbortController()
const bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
beforeEach(async () => {
  api = await openApi()
})
afterEach(() => api.close())

/** An edge that answers every question with these parts. */
const answerAs = (
  edge: string,
  parts: readonly (readonly Held[])[],
  look: (id: string) => Promise<void> = async () => undefined,
): AbortController => {
  const up = new AbortController()
  const answer = async (body: string): Promise<void> => {
    const { id } = edgeQuestion.parse(JSON.parse(body))
    await look(id)
    for (const [number, resources] of parts.entries()) {
      const about = { id, fleet, edge: edgeId.parse(edge), dataPlane: 'kernel', repaired: null }
      const part: EdgeAnswer = {
        ...about,
        startedAt: '2026-01-01T00:00:00.000Z',
        part: { number, count: parts.length },
        problem: null,
        resources: [...resources],
      }
      bus.hint(edgeAnswerSubject(id), JSON.stringify(part))
    }
  }
  bus.onHint(
    edgeQuestionSubject(fleet),
    (body) => void answer(body),
    AbortSignal.any([up.signal, life.signal]),
  )
  return up
}
const inspect = (edges: readonly string[], compare = true): Promise<readonly InspectedEdge[]> =>
  inspectEdges(
    {
      bus,
      log: api.store.log,
      follower: createLogFollower(api.store.log),
      fleet,
      driver: driverName.parse('edge'),
      // An edge that does not answer is not waited for in real time: eight seconds of it are 200 ms.
      clock: {
        ...systemClock,
        now: () => systemClock.now() * 40,
        sleep: (ms, signal) => systemClock.sleep(ms / 40, signal),
      },
      ids: systemIds,
      known: async () => edges.map(beatOf),
    },
    compare,
  )

test('an edge that says that it looks is waited for, and no other', async () => {
  await api.tell(service, requested(service, 'web'), intended)
  const answer = answerAs('edge-1', [[held]], async (id) => {
    // Twice as long as anybody may be silent.
    for (let told = 0; told < 8; told += 1) {
      const looking: EdgeLooking = { id, edge: edgeId.parse('edge-1'), looking: true }
      bus.hint(edgeAnswerSubject(id), JSON.stringify(looking))
      await systemClock.sleep(50)
    }
  })
  const [one, other] = await inspect(['edge-1', 'edge-2'])
  expect([one?.answered, other?.answered]).toEqual([true, false])
  answer.abort()
})

test('an edge’s answer is whole with all its parts, and silence is told', async () => {
  await api.tell(service, requested(service, 'web'), intended)
  const up = answerAs('edge-1', [[held], []])
  const [one, other] = await inspect(['edge-1', 'edge-2'])
  expect(one).toMatchObject({ answered: true, expected: 1, resources: [{ differs: null }] })
  expect(other).toMatchObject({ answered: false, resources: [] })
  up.abort()
})

test.each<[string, Partial<Held>, string]>([
  ['an older generation', { generation: 1 }, 'generation 1, and the log has 2'],
  ['another incarnation', { marks: { ...desired.marks, epoch: 3 } }, 'epoch 3, and the log has 1'],
  ['other content', { hash: 'other' }, 'other content than the log has'],
])('%s is told', async (_what, change, differs) => {
  await api.tell(service, requested(service, 'web'), intended)
  const up = answerAs('edge-1', [[{ ...held, ...change }]])
  const [one] = await inspect(['edge-1'])
  expect(one?.resources).toMatchObject([{ differs }])
  const [unasked] = await inspect(['edge-1'], false)
  expect(unasked).toMatchObject({ expected: null, resources: [{ differs: null }] })
  up.abort()
})

test('targets that changed since the intent are part of what the log has', async () => {
  const target = { node: 'n1', ip: '10.0.0.1', weight: 1 }
  const after = desiredResource.shape.targets.parse([target])
  const changed = { key, epoch: 1, generation: 3, before: [], after, cause: 'nodes' } as const
  await api.tell(service, requested(service, 'web'), intended, said('TargetsChanged', changed))
  const now = { ...desired, targets: after, generation: 3 }
  const up = answerAs('edge-1', [[{ ...held, generation: 3, hash: desiredHash(now) }]])
  const other = answerAs('edge-2', [[held]])
  const [one, two] = await inspect(['edge-1', 'edge-2'])
  expect(one?.resources).toMatchObject([{ differs: null }])
  expect(two?.resources).toMatchObject([{ differs: 'generation 2, and the log has 3' }])
  up.abort()
  other.abort()
})

test('what the log removed, or never knew, is told', async () => {
  const up = answerAs('edge-1', [[held]])
  const [stray] = await inspect(['edge-1'])
  expect(stray?.resources).toMatchObject([{ differs: 'the log knows nothing of it' }])
  await api.tell(service, requested(service, 'web'), intended, removed)
  const [gone] = await inspect(['edge-1'])
  expect(gone?.resources).toMatchObject([{ differs: 'the log has it removed' }])
  up.abort()
})
