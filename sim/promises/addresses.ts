import { frontendText, type RecordedEvent } from '@weir/contract'
import type { LogStory } from '../truth/story.ts'
import type { World } from '../world/world.ts'
import type { Oracle } from './safety.ts'
import { Violation } from './violation.ts'

interface Rest {
  readonly uid: string
  readonly until: number
}

/** P1 and P2: whom an address is given to, by the log, by the providers and by what Services show. */
export const createAddressCheck = (world: World, oracle: Oracle) => {
  /** Who let go of an address last, and until when it rests. */
  const resting = new Map<string, Rest>()
  const { quarantineSeconds } = world.topology

  const letGo = (story: LogStory, kept: ReadonlySet<string>, at: number): void => {
    for (const { ip } of story.leases) {
      if (!kept.has(ip)) resting.set(ip, { uid: story.uid, until: at + quarantineSeconds * 1000 })
    }
  }

  return (event: RecordedEvent, before: LogStory | undefined, at: number): void => {
    if (event.type === 'FrontendsReleased' && before !== undefined) letGo(before, new Set(), at)
    if (event.type === 'FrontendsVacated' && before !== undefined) {
      const gone = new Set(event.data.leases.map(({ ip }) => ip))
      letGo(before, new Set(before.leases.map(({ ip }) => ip).filter((ip) => !gone.has(ip))), at)
    }
    if (event.type !== 'FrontendsAllocated') return
    const uid = event.correlationid
    const { leases, leaving = [] } = event.data
    const ips = new Set([...leases, ...leaving].map(({ ip }) => ip))
    const had = new Set(before?.leases.map(({ ip }) => ip) ?? [])
    if (before !== undefined) letGo(before, ips, at)
    checkHolders(oracle, event)
    checkAsked(oracle, event)
    for (const ip of ips) {
      if (had.has(ip)) continue
      checkRest(resting.get(ip), { uid, ip, at })
      checkProviders(world, { uid, ip })
      checkShown(oracle, { uid, ip })
    }
  }
}

/** P5: only what users ask for in the spec is a request; what a status shows never is. */
const checkAsked = (
  { services }: Oracle,
  event: Extract<RecordedEvent, { type: 'FrontendsAllocated' }>,
): void => {
  if (event.data.choice !== 'requested') return
  const uid = event.correlationid
  const asked = services.get(uid)?.asked
  const ip = event.data.leases.map((lease) => lease.ip).find((each) => asked?.has(each) === false)
  if (ip !== undefined) throw new Violation('P5', `${ip} is given to ${uid}, which never asked`)
}

const checkHolders = (
  { stories }: Oracle,
  event: Extract<RecordedEvent, { type: 'FrontendsAllocated' }>,
): void => {
  const uid = event.correlationid
  const taken = new Set(event.data.frontends.map(frontendText))
  const ips = new Set(event.data.leases.map(({ ip }) => ip))
  for (const other of stories.all()) {
    if (other.uid === uid) continue
    const clash = other.frontends.map(frontendText).find((frontend) => taken.has(frontend))
    if (clash !== undefined) {
      throw new Violation('P1', `${clash} is given to ${uid} while ${other.uid} holds it`)
    }
    const shared = other.leases.find(({ ip }) => ips.has(ip))
    if (shared !== undefined) {
      throw new Violation('P2', `${shared.ip} is given to ${uid} while ${other.uid} holds it`)
    }
  }
}

interface Given {
  readonly uid: string
  readonly ip: string
}

const checkRest = (rest: Rest | undefined, { uid, ip, at }: Given & { at: number }): void => {
  if (rest === undefined || rest.uid === uid || at >= rest.until) return
  throw new Violation('P2', `${ip} of ${rest.uid} is given to ${uid} ${rest.until - at} ms early`)
}

const checkProviders = (world: World, { uid, ip }: Given): void => {
  for (const { ref, marks, desired } of world.clouds.flatMap((cloud) => cloud.truth())) {
    if (marks === null || marks.service === uid) continue
    if (desired?.frontends.some((frontend) => frontend.ip === ip) === true) {
      throw new Violation('P2', `${ip} is given to ${uid} while ${ref} of ${marks.service} has it`)
    }
  }
}

const checkShown = ({ services }: Oracle, { uid, ip }: Given): void => {
  for (const other of services.all()) {
    if (other.uid === uid || !services.served(other.cluster)) continue
    const shown = other.object?.status.loadBalancer.ingress ?? []
    if (shown.some((entry) => entry.ip === ip)) {
      throw new Violation('P2', `${ip} is given to ${uid} while Service ${other.uid} shows it`)
    }
  }
}
