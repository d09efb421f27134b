import {
  desiredHash,
  type DesiredResource,
  type InstallationId,
  type OwnershipMarks,
} from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import type { Capabilities, Driver, Flows, InventoryItem, Observed, Outcome } from '../driver.ts'
import { sameOwner } from '../marks.ts'
import { planOrder, type MemoryCall, type MemorySeen } from './memory-plan.ts'
import { createMemoryProvider, notOurs, type Kept, type MemoryProvider } from './memory-provider.ts'

/** What the next calls meet, in order: one entry for each call that reaches the provider. */
export type MemoryFault =
  | 'works'
  /** The call fails and nothing happened. */
  | 'fails'
  /** It happened, and the caller never learns: a time-out after the effect. */
  | 'loses-reply'
  /** As before, with the outcome `unknown` for an answer. */
  | 'answers-unknown'
  | 'is-locked'

export interface MemoryDriverOptions {
  readonly name?: string
  readonly installation: InstallationId
  readonly capabilities?: Capabilities
  /** Whether changes stay pending until `settle`. */
  readonly slow?: boolean
  /** The provider of another driver, as another process has it; default: one of its own. */
  readonly provider?: MemoryProvider
}

/** A provider in memory, with the handles a test needs to make it misbehave and to look inside. */
export interface MemoryDriver extends Driver<MemorySeen> {
  /** Replaces what the next calls meet; calls beyond the list work. */
  meet(faults: readonly MemoryFault[]): void
  /** The provider itself, to look inside and to change behind the driver's back. */
  readonly provider: MemoryProvider
  /** What it tells of new flows from now on, of every resource; undefined for nothing. */
  direct(flows: Flows | undefined): void
  /** Freezes what `inventory` answers at what is there now, or thaws it. */
  freezeList(frozen: boolean): void
}

/** Can do everything; tests take away what they need to miss. */
export const memoryCapabilities: Capabilities = {
  protocols: ['TCP', 'UDP'],
  ipFamilies: ['IPv4', 'IPv6'],
  addresses: 'pool',
  sourceRanges: true,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: true,
  preservesClientAddress: 'always',
  samePortTcpUdp: 'always',
  needsNodePort: true,
  targetsByProviderId: null,
  maxFrontends: 100,
  ipMode: 'VIP',
}

/** A driver that keeps every promise of `Driver` and breaks the world around it on request. */
export const createMemoryDriver = (options: MemoryDriverOptions): MemoryDriver => {
  const capabilities = options.capabilities ?? memoryCapabilities
  const name = options.name ?? 'memory'
  const { installation } = options
  const provider = options.provider ?? createMemoryProvider(options.slow === true)
  let faults: readonly MemoryFault[] = []
  let frozen: readonly InventoryItem[] | undefined
  let flows: Flows | undefined

  const call = async (attempt: string, effect: () => Outcome): Promise<Outcome> => {
    const [fault = 'works', ...rest] = faults
    faults = rest
    await Promise.resolve()
    if (fault === 'fails') throw new OperatingError(`cannot ${attempt}: the provider is away`)
    if (fault === 'is-locked') return { status: 'locked', retryMs: 1000 }
    const outcome = effect()
    if (fault === 'loses-reply') throw new OperatingError(`no answer to ${attempt}: timed out`)
    return fault === 'answers-unknown' ? { status: 'unknown' } : outcome
  }
  const list = (): readonly InventoryItem[] => [
    ...provider.world().map(toItem),
    ...provider.unmarked().map((ref) => ({ kind, ref, marks: null, generation: 0 })),
  ]

  return {
    name,
    capabilities,
    probe: () =>
      Promise.resolve({
        status: 'ready',
        account: name,
        found: 'a provider in memory',
        capabilities,
      }),
    observe: async (marks) => {
      await Promise.resolve()
      const view = { there: provider.at(marks.key) }
      return {
        ...observed(provider.find(marks), { name, ipMode: capabilities.ipMode, flows }),
        view,
      }
    },
    plan: (order, seen) => planOrder(order, seen, { capabilities, installation }),
    execute: async (step) => {
      // What `planOrder` made, and nobody else.
      const asked = step.call as MemoryCall
      return call(step.title, () =>
        'apply' in asked ? provider.apply(asked.apply) : provider.remove(asked.remove),
      )
    },
    poll: () => Promise.resolve({ status: 'unknown' }),
    inventory: async (cursor) => {
      await Promise.resolve()
      const all = frozen ?? list()
      const from = cursor === undefined ? 0 : Number(cursor)
      const next = from + pageSize
      const resources = all.slice(from, next)
      return next < all.length ? { resources, next: String(next) } : { resources }
    },
    release: async ({ ref, marks }) => {
      await Promise.resolve()
      if (marks.installation !== installation || ref !== refOf(marks)) return notOurs(marks)
      const there = provider.at(marks.key)
      if (there !== undefined && !sameOwner(there.desired.marks, marks)) {
        return notOurs(there.desired.marks)
      }
      if (provider.find(marks) === undefined) return { status: 'done' }
      return call(`release ${ref}`, () => {
        provider.remove(marks)
        return { status: 'pending', lookAgainMs: 1000 }
      })
    },
    onChange: (handle, signal) => provider.onChange(handle, signal),
    provider,
    meet: (next) => (faults = next),
    direct: (tell) => (flows = tell),
    freezeList: (freeze) => (frozen = freeze ? list() : undefined),
  }
}

/** The one kind of thing there is. */
const kind = 'load balancer'
/** Small, so that two resources already need a second page. */
const pageSize = 2

const refOf = ({ key, epoch }: OwnershipMarks): string => `${key}/${epoch}`

const toItem = ({ marks, generation }: DesiredResource): InventoryItem => ({
  kind,
  ref: refOf(marks),
  marks,
  generation,
})

const observed = (
  there: Kept | undefined,
  by: {
    readonly name: string
    readonly ipMode: Capabilities['ipMode']
    readonly flows: Flows | undefined
  },
): Observed => {
  if (there === undefined) return { status: 'absent', confirmedBy: [by.name] }
  const { desired, ready, leaving } = there
  return {
    status: 'present',
    marks: desired.marks,
    generation: desired.generation,
    hash: desiredHash(desired),
    ready: ready && !leaving,
    ingress: [...new Set(desired.frontends.map(({ ip }) => ip))].map((ip) => ({
      ip,
      ipMode: by.ipMode,
    })),
    confirmedBy: [by.name],
    targets: [],
    ...(by.flows && { flows: by.flows }),
  }
}
