// What an event says, in a few words for people. The event itself has the rest.
import {
  frontendText,
  isRefusal,
  reasonOf,
  type EventData,
  type RecordedEvent,
  type Target,
} from '@weir/contract'

/** The gist of an event of a Service's story; empty for one whose type says it all. */
export const gistOf = (event: RecordedEvent): string => {
  if (isRefusal(event)) return reasonOf(event).message
  switch (event.type) {
    case 'FinalizerAdded':
      return `the API server has it, at resourceVersion ${event.data.resourceVersion}`
    case 'LoadBalancerRequested':
      return `${event.data.namespace}/${event.data.name} wants a load balancer`
    case 'LoadBalancerChanged':
      return event.data.fields.join(', ')
    case 'FrontendsAllocated':
      return `${event.data.frontends.map(frontendText).join(' ') || 'nothing'} (${event.data.choice})`
    case 'DriverChanged':
      return `from ${event.data.from} to ${event.data.to}, by ${event.data.cause}`
    case 'OperationStarted':
      return event.data.what
    case 'ResourceIntended':
      return `generation ${event.data.generation} for ${nodesOf(event.data.desired.targets)}`
    case 'TargetsChanged':
      return `${nodesOf(event.data.after)}, by ${event.data.cause}`
    case 'TargetHealthChanged':
      return flowsText(event.data)
    case 'ResourceProgrammed':
      return `generation ${event.data.generation}, confirmed by ${event.data.confirmedBy.join(', ')}`
    case 'ResourceDrifted':
      return `found ${event.data.found}`
    case 'ResourceDiscarded':
      return `${event.data.ref}: ${event.data.why}`
    case 'StatusPublished':
      return event.data.ingress
        .map((at) => ('ip' in at ? `${at.ip} (${at.ipMode})` : at.hostname))
        .join(', ')
    case 'ReasonPublished':
      return event.data.reason
    case 'ReleaseRequested':
      return event.data.reason
    case 'ResourceDeleteIntended':
      return event.data.reason
    case 'ResourceAbsent':
      return `confirmed by ${event.data.confirmedBy.join(', ')}`
    case 'FinalizerRemoved':
      return event.data.objectGone ? 'the object was gone already' : ''
    case 'FrontendsReleased': {
      const { leases, quarantineUntil } = event.data
      const held = leases.map(({ ip }) => ip).join(', ')
      return quarantineUntil === null ? held : `${held} rests until ${quarantineUntil}`
    }
    case 'FrontendsVacated': {
      const { leases, frontends = [], quarantineUntil } = event.data
      const gone = [...leases.map(({ ip }) => ip), ...frontends.map(frontendText)].join(', ')
      return leases.length === 0 ? gone : `${gone} rests until ${quarantineUntil}`
    }
    case 'SharingChanged':
      return sharedText(event.data)
    case 'ReconcileParked':
      return event.data.problem
    default:
      return ''
  }
}

/** `198.51.100.7:53/UDP of an address shared in default`. */
const sharedText = ({ namespace, frontends }: EventData<'SharingChanged'>): string =>
  `${frontends.map(frontendText).join(' ') || 'nothing'} of an address shared in ${namespace}`

const shown = 4

/** `node-1, node-2 x3`: nodes that take new connections, with a weight that is not 1. */
const nodesOf = (targets: readonly Target[]): string => {
  const live = targets.filter(({ weight }) => weight > 0)
  if (live.length === 0) return 'no node'
  const named = live
    .slice(0, shown)
    .map(({ node, weight }) => (weight === 1 ? node : `${node} x${weight}`))
  const rest = live.length - named.length
  return rest > 0 ? `${named.join(', ')} and ${rest} more` : named.join(', ')
}

/** `without node-2 (answered 503), node-3 x2, node-4 back; 3 nodes take flows`. */
const flowsText = ({ changes, serving }: EventData<'TargetHealthChanged'>): string => {
  const named = changes.slice(0, shown).map(({ node, before, after, problem }) => {
    if (after === 0) return problem === null ? `without ${node}` : `without ${node} (${problem})`
    const share = after === 1 ? node : `${node} x${after}`
    return before === 0 ? `${share} back` : share
  })
  const rest = changes.length - named.length
  const all = rest > 0 ? [...named, `${rest} more`] : named
  const takers = ['no node takes', '1 node takes'][serving] ?? `${serving} nodes take`
  return `${all.join(', ')}; ${takers} flows`
}
