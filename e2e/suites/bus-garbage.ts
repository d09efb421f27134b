// Messages that nobody can read, on every stream: each parks itself, and the platform goes on.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { openBus } from '../harness/edge-reports.ts'
import type { ServiceObject } from '../harness/objects.ts'
import { askHttp } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

const bodies = ['', 'not json', '{}', '{"v":99,"kind":"service"}', '[1,2,3]', '\u0000\u0001']

export const busGarbage = (walk: Walk): void => {
  walk('messages that nobody can read park themselves alone', async (place) => {
    const { platform } = place
    await place.deploy('example', 1)
    await place.expose('before', 'example')
    const door = await place.served('before')
    const { uid } = ((await place.service('before')) as ServiceObject).metadata
    const bus = await openBus(platform)
    const subjects = [
      'weir.obs.local.nowhere.service.nothing',
      'weir.obs.local.nowhere.nodes.nothing',
      'weir.evt.7.local.lb.LoadBalancerRequested',
      'weir.evt.7.nobody.resource.Unheard',
      'weir.edge.local.order.nothing',
      'weir.edge.local.report.edge-1.nothing',
      'weir.edge.local.heartbeat.edge-9',
    ]
    for await (const { subject } of bus.lastOfEach('EDGE', 'weir.edge.*.*.>')) {
      if (subject.includes(uid) && subject.includes('.order.')) subjects.push(subject)
    }
    expect(subjects).toHaveLength(8)
    for (const body of bodies) {
      await bus.publish(subjects.map((subject) => ({ subject, body })))
    }
    for (const body of ['nobody', '\u0000', '../..']) bus.hint('weir.hint.3', body)
    await bus.close()
    await place.expose('after', 'example')
    await place.served('after')
    expect(await askHttp(door)).toContain('pod=example-')
    await place.patch('before', { spec: { ports: [{ port: 9000, targetPort: 9376 }] } })
    await eventually(() => askHttp({ ...door, port: 9000 }), { deadlineMs: 20_000 })
    await place.remove('before')
    await place.gone('before')
    const { status } = await platform.ask('GET', '/v1/edges')
    expect(status).toBe(200)
    // The order for nothing is seen and left alone, as is everything that carries no marks of ours.
    const { findings } = (await platform.weirJson('gc report')) as { findings: unknown[] }
    expect(findings).toMatchObject([{ kind: 'unmarked', ref: 'weir.edge.local.order.nothing' }])
  })
}
