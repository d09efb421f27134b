import {
  edgeHeartbeatSubject,
  edgeLifetimes,
  type EdgeHeartbeat,
  type EdgeId,
  type FleetName,
  type ReturnFinding,
} from '@weir/contract'
import type { Bus } from '@weir/bus'
import type { DataPlane } from './data-plane/data-plane.ts'

/** Says that this edge lives and what it holds. */
export interface Heartbeat {
  /** @throws OperatingError when the bus does not take it. */
  beat(): Promise<void>
  /** The bus lost everything: the next beat tells all parts. */
  forget(): void
}

export interface HeartbeatOptions {
  readonly bus: Pick<Bus, 'publish'>
  readonly fleet: FleetName
  readonly edge: EdgeId
  readonly plane: Pick<DataPlane, 'kind' | 'repairs'>
  /** Whether nodes can answer clients directly. */
  readonly returns?: () => readonly ReturnFinding[]
  /** When this process began; with the count of changes it names a revision. */
  readonly startedAt: string
  readonly now: () => string
  /** What is held, in an order that stays while nothing changes. */
  readonly held: () => EdgeHeartbeat['resources']
  /** Rises with every change of what is held. */
  readonly changes: () => number
  /** Most resources in one message. */
  readonly partMax?: number
}

/** About 350 bytes each, 600 at most, and a server takes a megabyte in one message. */
const partDefaultMax = 1_500
/** All parts are told again after so many beats, for the bus may lose one. */
const allPartsEvery = 12

/**
 * What fits into one message is told whole with every beat. More goes in parts, and only the first is told
 * with every beat: it says that the revision is still true.
 */
export const createHeartbeat = (options: HeartbeatOptions): Heartbeat => {
  const { bus, fleet, edge, plane, startedAt, held, changes } = options
  const { partMax = partDefaultMax } = options
  let told: string | undefined
  let beats = 0

  const messageOf = (
    at: string,
    resources: EdgeHeartbeat['resources'],
    part?: NonNullable<EdgeHeartbeat['part']>,
  ) => {
    const parts = part === undefined ? {} : { part }
    const isFirst = part === undefined || part.number === 0
    const returns = isFirst ? { returns: [...(options.returns?.() ?? [])] } : {}
    const made = { dataPlane: plane.kind, repairs: [...plane.repairs()], ...returns }
    const about = { fleet, edge, startedAt, at, ...made }
    const said: EdgeHeartbeat = { ...about, ...parts, resources }
    const subject = edgeHeartbeatSubject(fleet, edge, part?.number)
    return { subject, body: JSON.stringify(said), ttlMs: edgeLifetimes.heartbeatMs }
  }
  return {
    forget: () => (told = undefined),
    beat: async () => {
      const [at, all, revision] = [options.now(), held(), `${startedAt}/${changes()}`]
      const count = Math.ceil(all.length / partMax)
      if (count <= 1) {
        told = undefined
        await bus.publish([messageOf(at, all)])
        return
      }
      beats += 1
      const isKnown = told === revision && beats % allPartsEvery !== 0
      const numbers = Array.from({ length: isKnown ? 1 : count }, (_, number) => number)
      await bus.publish(
        numbers.map((number) => {
          const resources = all.slice(number * partMax, (number + 1) * partMax)
          return messageOf(at, resources, { number, count, revision })
        }),
      )
      told = revision
    },
  }
}
