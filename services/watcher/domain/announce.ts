import { isRefusal, reasonOf, type IpAddress, type RecordedEvent } from '@weir/contract'
import type { Life } from './fold.ts'

/** A Kubernetes Event to tell about a Service; `key` makes telling it twice the same as once. */
export interface Announcement {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
  readonly key: string
  /** Milliseconds since the epoch. */
  readonly at: number
  /** A cause that still stands: shown again with a new time before Kubernetes forgets it. */
  readonly refresh?: boolean
}

// What is older is history: after a restart nobody is told of it again.
const newsMs = 15 * 60_000
/** Kubernetes keeps an Event for an hour; a standing warning is told again in time. */
export const refreshMs = 45 * 60_000

/**
 * What a life has to tell, under the names that users of Kubernetes search for. A change of targets or
 * ports is told once it is in place, not when it is intended.
 */
export const announcements = (life: Life, now: number): Announcement[] => {
  const told: Announcement[] = []
  let addresses = ''
  let programmed = 0
  let changes: Announcement[] = []
  for (const event of life.events) {
    switch (event.type) {
      case 'LoadBalancerRequested':
        told.push(normal(event, 'EnsuringLoadBalancer', 'Ensuring load balancer'))
        break
      case 'FrontendsAllocated': {
        const list = quotedList(event.data.leases.map(({ ip }) => ip))
        // A provider that gives its own address says it in the status.
        if (list !== addresses && list !== '[]')
          told.push(normal(event, 'IPAllocated', `Assigned IP ${list}`))
        addresses = list
        break
      }
      case 'LoadBalancerChanged':
      case 'TargetsChanged':
        changes = programmed > 0 ? [...changes, ...updateOf(event)] : []
        break
      case 'ResourceProgrammed':
        if (programmed === event.data.epoch) told.push(...changes)
        else if (programmed < event.data.epoch) told.push(ensured(event, programmed > 0))
        programmed = Math.max(programmed, event.data.epoch)
        changes = []
        break
      case 'ResourceAbsent':
        // Epoch 0: nothing was ever made, so nothing was deleted. Others: the driver moved from.
        if (event.data.epoch === life.epoch)
          told.push(normal(event, 'DeletedLoadBalancer', 'Deleted load balancer'))
        break
      default:
        told.push(...otherOf(event))
    }
  }
  const news = oneAfterTheOther(told).filter(({ at }) => now - at < newsMs)
  return [...news, ...standing(life, now)]
}

/** Facts of one append share their instant, and a list of Events is ordered by it. */
const oneAfterTheOther = (told: readonly Announcement[]): Announcement[] => {
  let last = 0
  return told.map((each) => {
    last = Math.max(each.at, last + 1)
    return { ...each, at: last }
  })
}

const otherOf = (event: RecordedEvent): Announcement[] => {
  if (isRefusal(event)) return [refused(event)]
  switch (event.type) {
    case 'ResourceIntended':
      return event.data.desired.targets.length > 0 ? [] : [withoutNodes(event)]
    case 'ReconcileParked': {
      const problem = event.data.problem.slice(0, 600)
      return [warning(event, 'SyncLoadBalancerFailed', `Error syncing load balancer: ${problem}`)]
    }
    case 'ReleaseRequested':
      return [normal(event, 'DeletingLoadBalancer', 'Deleting load balancer')]
    case 'DriverChanged': {
      const { from, to } = event.data
      const message = `Moving load balancer from driver ${from} to ${to}; ${from} serves until then`
      return [normal(event, 'MovingLoadBalancer', message)]
    }
    default:
      return []
  }
}

const ensured = (event: RecordedEvent, moved: boolean): Announcement =>
  moved
    ? normal(event, 'MovedLoadBalancer', 'Moved load balancer; the driver it had is let go')
    : normal(event, 'EnsuredLoadBalancer', 'Ensured load balancer')

const updateOf = (
  event: Extract<RecordedEvent, { type: 'LoadBalancerChanged' | 'TargetsChanged' }>,
): Announcement[] => {
  if (event.type === 'LoadBalancerChanged') {
    return [normal(event, 'UpdatedLoadBalancer', 'Updated load balancer')]
  }
  const names = (targets: readonly { readonly node: string }[]): string =>
    targets.map(({ node }) => node).join()
  if (event.data.after.length === 0) return [withoutNodes(event)]
  // Weights follow every pod; only another set of hosts is worth a line.
  if (names(event.data.before) === names(event.data.after)) return []
  return [normal(event, 'UpdatedLoadBalancer', 'Updated load balancer with new hosts')]
}

const withoutNodes = (event: RecordedEvent): Announcement =>
  warning(
    event,
    'UnAvailableLoadBalancer',
    'There are no available nodes for LoadBalancer; its address is kept',
  )

const refused = (
  event: Extract<RecordedEvent, { type: Parameters<typeof reasonOf>[0]['type'] }>,
) => {
  const { message, fix } = reasonOf(event)
  const byAllocator = !['IntentInvalid', 'ProtocolUnsupported', 'ResourceRefused'].includes(
    event.type,
  )
  const text = `${message}. To fix: ${fix}.`
  return byAllocator
    ? warning(event, 'AllocationFailed', `Failed to allocate IP: ${text}`)
    : warning(event, 'SyncLoadBalancerFailed', `Error syncing load balancer: ${text}`)
}

const standing = ({ refusal, programmed }: Life, now: number): Announcement[] => {
  if (refusal === undefined || programmed !== undefined) return []
  const first = refused(refusal)
  return now - first.at < refreshMs ? [] : [{ ...first, refresh: true }]
}

const normal = (event: RecordedEvent, reason: string, message: string): Announcement => ({
  type: 'Normal',
  reason,
  message,
  key: event.id,
  at: Date.parse(event.time),
})

const warning = (event: RecordedEvent, reason: string, message: string): Announcement => ({
  ...normal(event, reason, message),
  type: 'Warning',
})

const quotedList = (ips: readonly IpAddress[]): string =>
  `[${ips.map((ip) => JSON.stringify(ip)).join(',')}]`
