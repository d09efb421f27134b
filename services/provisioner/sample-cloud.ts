// A cloud for tests: it gives its own names, works on each order for a while by itself, and answers with a
// token that tells how that stands.
import type { InstallationId } from '@weir/contract'
import {
  createMemoryDriver,
  memoryCapabilities,
  type Driver,
  type MemoryDriver,
  type Observed,
} from '@weir/drivers'
import type { Clock } from '@weir/kernel'

export interface SampleCloud {
  readonly driver: Driver
  readonly memory: MemoryDriver
  /** How long orders take from now on. */
  takes(ms: number): void
  /** For so long after an order every second read shows what was there before it. */
  lags(ms: number): void
  /** For so long after an order nothing is found, and orders bring no token. */
  denies(ms: number): void
}

export const createSampleCloud = (options: {
  readonly name: string
  readonly installation: InstallationId
  readonly clock: Clock
  readonly protocols?: readonly ('TCP' | 'UDP')[]
}): SampleCloud => {
  const { name, installation, clock, protocols = ['TCP', 'UDP'] } = options
  const capabilities = { ...memoryCapabilities, protocols, addresses: 'provider' } as const
  const memory = createMemoryDriver({ name, installation, capabilities, slow: true })
  let durationMs = 2500
  let readyAt = -Infinity
  let lagMs = 0
  let denyMs = 0
  let deniedUntil = -Infinity
  let reads = 0
  let latest = { status: 'absent', confirmedBy: [name] } as Observed
  let before = { seen: latest, until: -Infinity }
  const work = (): void => {
    if (clock.now() >= readyAt) memory.provider.settle()
  }
  const driver: Driver = {
    ...memory,
    observe: async (marks) => {
      work()
      reads += 1
      latest = await memory.observe(marks)
      const isOld = reads % 2 === 0 && clock.now() < before.until
      const seen = isOld ? before.seen : latest
      if (clock.now() < deniedUntil) {
        return { status: 'absent', confirmedBy: [name], view: { there: undefined } }
      }
      if (seen.status !== 'present') return seen
      const ingress = [{ hostname: `${marks.key}-${marks.epoch}.cloud.example` }]
      return { ...seen, ingress }
    },
    execute: async (step) => {
      before = { seen: latest, until: clock.now() + lagMs }
      const outcome = await memory.execute(step)
      if (outcome.status !== 'pending') return outcome
      readyAt = clock.now() + durationMs
      deniedUntil = clock.now() + denyMs
      if (denyMs > 0) return { status: 'pending', lookAgainMs: 1000 }
      return { ...outcome, token: `${name}-${readyAt}` }
    },
    poll: async (token) => {
      work()
      await Promise.resolve()
      const at = Number(token.slice(name.length + 1))
      return clock.now() < at ? { status: 'pending', lookAgainMs: 1000, token } : { status: 'done' }
    },
  }
  return {
    driver,
    memory,
    takes: (ms) => (durationMs = ms),
    lags: (ms) => (lagMs = ms),
    denies: (ms) => (denyMs = ms),
  }
}
