// A log in an array, for tests of what is judged by it.
import {
  driverName,
  event,
  serviceUid,
  streamOf,
  tenantId,
  type DomainEvent,
  type RecordedEvent,
} from '@weir/contract'
import { desiredOf } from '../sample-desired.ts'
import type { AuditLog } from './log-follower.ts'

export const acme = tenantId.parse('acme')
const intent = { intent: {}, intentHash: '' }

export interface SampleLog extends AuditLog {
  /** Records on the streams of Service `number`, a second after what was said before. */
  say(number: number, ...events: readonly DomainEvent[]): void
  story(tenant: string, service: string): Promise<readonly RecordedEvent[]>
}

export const createSampleLog = (): SampleLog => {
  const events: RecordedEvent[] = []
  return {
    say: (number, ...said) => {
      for (const one of said) {
        const { service } = desiredOf(number).marks
        const key = 'key' in one.data ? one.data.key : undefined
        const subject = key === undefined ? streamOf('lb', service) : streamOf('resource', key)
        const sequence = events.length + 1
        const time = new Date(Date.UTC(2026, 0, 1) + sequence * 1000).toISOString()
        events.push({
          ...one,
          id: `id-${sequence}`,
          subject,
          streamversion: events.filter((each) => each.subject === subject).length + 1,
          tenantid: acme,
          sequence,
          time,
          recordedtime: time,
          actor: 'test',
          correlationid: service,
          causationid: 'test',
        } as unknown as RecordedEvent)
      }
    },
    tenants: async () => [acme],
    head: async () => events.length,
    after: async (_tenant, sequence, limit) => events.slice(sequence, sequence + limit),
    story: async (_tenant, service) =>
      events.filter(({ correlationid }) => correlationid === serviceUid.parse(service)),
    claims: async () => [],
    now: async () => Date.UTC(2026, 0, 2),
  }
}

/** The events of a life, of Service `number`. */
export const life = (number: number, driver = 'edge') => {
  const at = desiredOf(number, { driver }).marks
  const name = driverName.parse(driver)
  const says = (type: DomainEvent['type'], data: object): DomainEvent => event(type, data as never)
  return {
    key: at.key,
    requested: says('LoadBalancerRequested', { driver: name, serviceUid: at.service, ...intent }),
    intended: (epoch = 1) =>
      says('ResourceIntended', {
        key: at.key,
        epoch,
        driver: name,
        generation: 1,
        desired: desiredOf(number, { driver, epoch }),
      }),
    released: says('ReleaseRequested', { reason: 'service-deleted' }),
    over: says('FrontendsReleased', {}),
    moved: (to: string) => says('DriverChanged', { from: name, to: driverName.parse(to) }),
    deleting: (epoch: number, reason: 'released' | 'moved' | 'orphan') =>
      says('ResourceDeleteIntended', { key: at.key, epoch, reason, evidence: '' }),
    absent: (epoch = 1) => says('ResourceAbsent', { key: at.key, epoch, confirmedBy: [] }),
  }
}
