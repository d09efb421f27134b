import {
  desiredHash,
  desiredResource,
  type DesiredResource,
  type InstallationId,
} from '@weir/contract'
import { OperatingError } from '@weir/kernel'
import { findUnsupported } from '../capability.ts'
import type { Capabilities, Driver, InventoryItem, Observed, Outcome } from '../driver.ts'
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
}

/** A provider in memory, with the handles a test needs to make it misbehave and to look inside. */
export interface MemoryDriver extends Driver {
  /** Replaces what the next calls meet; calls beyond the list work. */
  meet(faults: readonly MemoryFault[]): void
  /** The provider itself, to look inside and to change behind the driver's back. */
  readonly provider: MemoryProvider
  /** Freezes what `inventory` answers at what is there now, or thaws it. */
  freezeList(frozen: boolean): void
}

/** Can do everything; tests take away what they need to miss. */
export const memoryCapabilities: Capabilities = {
  protocols: ['TCP', 'UDP'],
  ipFamilies: ['IPv4', 'IPv6'],
  sourceRanges: true,
  clientIpAffinity: true,
  proxyProtocol: true,
  weights: true,
  preservesClientAddress: 'always',
  needsNodePort: true,
  ipMode: 'VIP',
}

/** A driver that keeps every promise of `Driver` and breaks the world around it on request. */
export const createMemoryDriver = (options: MemoryDriverOptions): MemoryDriver => {
  const capabilities = options.capabilities ?? memoryCapabilities
  const name = options.name ?? 'memory'
  const provider = createMemoryProvider(options.slow === true)
  let faults: readonly MemoryFault[] = []
  let frozen: readonly InventoryItem[] | undefined

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
  const list = (): readonly InventoryItem[] => provider.world().map(toItem)

  return {
    name,
    capabilities,
    apply: async (desired) => {
      const parsed = desiredResource.safeParse(desired)
      if (!parsed.success) return refused('input', parsed.error.message)
      const unsupported = findUnsupported(capabilities, desired)
      if (unsupported !== undefined) return { status: 'refused', ...unsupported }
      if (desired.marks.installation !== options.installation) return notOurs(desired.marks)
      return call(`apply ${desired.marks.key}`, () => provider.apply(desired))
    },
    remove: async (marks) => {
      if (marks.installation !== options.installation) return { status: 'done' }
      return call(`remove ${marks.key}`, () => provider.remove(marks))
    },
    observe: async (marks) => {
      await Promise.resolve()
      return observed(provider.find(marks), { name, ipMode: capabilities.ipMode })
    },
    inventory: async (cursor) => {
      await Promise.resolve()
      const all = frozen ?? list()
      const from = cursor === undefined ? 0 : Number(cursor)
      const next = from + pageSize
      const resources = all.slice(from, next)
      return next < all.length ? { resources, next: String(next) } : { resources }
    },
    onChange: (handle, signal) => provider.onChange(handle, signal),
    provider,
    meet: (next) => (faults = next),
    freezeList: (freeze) => (frozen = freeze ? list() : undefined),
  }
}

/** Small, so that two resources already need a second page. */
const pageSize = 2

const toItem = ({ marks, generation }: DesiredResource): InventoryItem => ({
  ref: `${marks.key}/${marks.epoch}`,
  marks,
  generation,
})

const observed = (
  there: Kept | undefined,
  by: { readonly name: string; readonly ipMode: Capabilities['ipMode'] },
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
  }
}

const refused = (capability: string, problem: string): Outcome => ({
  status: 'refused',
  capability,
  problem,
})
