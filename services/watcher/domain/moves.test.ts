// What is told of a Service while another driver takes over: its address all the way, and why it changes.
import { event, hashOf, type DomainEvent, type Ingress, type RecordedEvent } from '@weir/contract'
import { describe, expect, test } from 'vitest'
import { announcements } from './announce.ts'
import { decide, type Plan } from './decide.ts'
import { foldStory } from './fold.ts'

const began = Date.parse('2026-01-01T00:00:00Z')
const intentHash = hashOf('wish')
const address = [{ ip: '198.51.100.7', ipMode: 'Proxy' }] as unknown as Ingress[]
const name: Ingress[] = [{ hostname: 'weir-1.elb.example.com' }]

// The stories below leave out what these decisions do not read.
const requested = event('LoadBalancerRequested', { intentHash } as never)
const allocated = event('FrontendsAllocated', { leases: [{ ip: '198.51.100.7' }] } as never)
const programmed = (key: string, epoch: number, ingress: readonly Ingress[]) =>
  event('ResourceProgrammed', { key, epoch, generation: 1, ingress } as never)
const published = (epoch: number, ingress: Ingress[]) =>
  event('StatusPublished', { ingress, epoch, generation: 1 })
const moved = event('DriverChanged', {
  from: 'edge',
  to: 'aws',
  cause: 'cluster-default',
} as never)
const absent = (key: string, epoch: number) => event('ResourceAbsent', { key, epoch } as never)
const refused = event('ResourceRefused', {
  key: 'aws',
  driver: 'aws',
  capability: 'protocols',
  problem: 'no UDP',
  intentHash,
} as never)
const release = event('ReleaseRequested', { reason: 'service-deleted' })

const before = [requested, allocated, programmed('edge', 1, address), published(1, address)]
const after = [...before, moved, programmed('aws', 2, name)]

const story = (events: readonly DomainEvent[]) =>
  foldStory(
    events.map((each, index) => {
      const time = new Date(began + index).toISOString()
      return { ...each, id: String(index), subject: 'lb-x', time } as unknown as RecordedEvent
    }),
  )
const plan = (events: readonly DomainEvent[], ingress: readonly Ingress[] = address): Plan =>
  decide({
    story: story(events),
    seen: {
      wanted: true,
      deleting: false,
      held: false,
      resourceVersion: '5',
      intentHash,
      ingress,
      reason: null,
      conditions: [],
    },
    served: true,
    leavingIsKnown: false,
    now: began + 1000,
  })
const conditions = ({ write }: Plan): string[] =>
  write?.kind === 'tell' ? write.conditions.map(({ type, status }) => `${type} ${status}`) : []

describe('while the driver changes', () => {
  test('the address stays and the reason tells which driver takes over, and why', () => {
    const told = plan([...before, moved])
    expect(told.write).not.toHaveProperty('ingress')
    expect(told.write).toMatchObject({
      reason: expect.stringMatching(
        /^DriverChanging: the driver aws takes over from edge/,
      ) as string,
    })
    expect(conditions(told)).toEqual([
      'weir.dev/Serving True',
      'weir.dev/Provisioning True',
      'weir.dev/Degraded False',
    ])
  })

  test('a refusal of the new driver is told, and the old one goes on', () => {
    const story = [...before, moved, refused, programmed('edge', 1, address)]
    const told = plan(story)
    expect(told.write).not.toHaveProperty('ingress')
    expect(told.write).toMatchObject({
      reason: expect.stringMatching(/^ResourceRefused: the driver aws/) as string,
    })
  })

  test('a provider that takes too long is told of', () => {
    const problem = 'the provider has worked on it since noon'
    const parked = event('ReconcileParked', { key: 'aws', attempts: 0, problem } as never)
    const told = plan([...before, moved, parked, programmed('edge', 1, address)])
    expect(told.write).toMatchObject({
      reason: expect.stringMatching(/^ProviderFailing: the provider has worked/) as string,
    })
  })
})

describe('once the new driver serves', () => {
  test('its name replaces the address, and that is recorded', () => {
    const told = plan(after)
    expect(told.write).toMatchObject({ ingress: name, reason: 'Programmed: traffic is accepted' })
    expect(told.events).toMatchObject([{ type: 'StatusPublished', data: { epoch: 2 } }])
  })

  test('neither a late word of the old one nor its end changes anything', () => {
    const late = [programmed('edge', 1, address), absent('edge', 1)]
    const told = plan([...after, published(2, name), ...late], name)
    expect(told.write).not.toHaveProperty('ingress')
    expect(told.events).toEqual([])
  })
})

test('a Service is let go when its newest resource is gone, and not when another one is', () => {
  const leaving = (...gone: readonly DomainEvent[]) => story([...after, release, ...gone]).life
  expect(leaving(absent('edge', 1))?.absent).toBe(false)
  expect(leaving(absent('edge', 1), absent('aws', 2))?.absent).toBe(true)
  expect(story([...before, moved, release, absent('aws', 0)]).life?.absent).toBe(true)
})

test('Kubernetes Events tell of the move once, and of one deletion at the end', () => {
  const { life } = story([...after, absent('edge', 1), release, absent('aws', 2)])
  const told = life ? announcements(life, began + 1000).map(({ reason }) => reason) : []
  expect(told).toEqual([
    'EnsuringLoadBalancer',
    'IPAllocated',
    'EnsuredLoadBalancer',
    'MovingLoadBalancer',
    'MovedLoadBalancer',
    'DeletingLoadBalancer',
    'DeletedLoadBalancer',
  ])
})
