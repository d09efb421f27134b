// The suite that holds the simulated and the real API server, on the twin: each call takes its turns under the
// scheduler, which goes on until the call is answered.
import type { KubeConnection } from '@weir/kube'
import { describe } from 'vitest'
import { statusConformance } from '../../libs/kube/service-writer.conformance.ts'
import { createFaultPlan, noChances } from '../faults.ts'
import { createActor, worldClock } from '../scheduler/actor.ts'
import { createRandom } from '../scheduler/random.ts'
import { createScheduler, inOrder } from '../scheduler/scheduler.ts'
import { createKubeCluster } from './cluster.ts'
import { connectKube } from './connection.ts'

const connect = (): KubeConnection => {
  const scheduler = createScheduler({ start: 0, choose: inOrder, afterStep: () => undefined })
  const random = createRandom('twin')
  const cluster = createKubeCluster({
    id: '11111111-1111-4111-8111-111111111111',
    server: 'https://twin.example',
    clock: worldClock(scheduler, 'kube'),
    random,
  })
  const connection = connectKube(cluster, {
    actor: createActor('test', scheduler, random),
    faults: createFaultPlan(noChances, random),
    onWrite: () => undefined,
  })
  return {
    ...connection,
    call: async (request) => {
      const answer = connection.call(request)
      const [settled] = await Promise.all([
        answer.then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        ),
        scheduler.run({ time: scheduler.now() + 1000 }),
      ])
      if ('error' in settled) throw settled.error
      return settled.value
    },
  }
}

describe('the twin of the API server', () => {
  const connection = connect()
  statusConformance(() => connection)
})
