import { frontendText, type Lease, type RecordedEvent } from '@weir/contract'
import type { LogStory } from '../truth/story.ts'
import type { World } from '../world/world.ts'
import type { Oracle } from './safety.ts'
import { Violation } from './violation.ts'

interface Rest {
  /** The Service, or the group that shared it. */
  readonly holder: string
  readonly until: number
}

/** P1 and P2: whom an address is given to, by the log, by the providers and by what Services show. */
export const createAddressCheck = (world: World, oracle: Oracle) => {
  /** Who let go of an address last, and until when it rests. */
  const resting = new Map<string, Rest>()
  const { quarantineSeconds } = world.topology

  const letGo = (story: LogStory, kept: ReadonlySet<string>, at: number): void => {
    for (const lease of story.leases) {
      const { ip } = lease
      const others = othersWith(oracle, story.uid, ip)
      if (!kept.has(ip)) checkRow(world, ip, others)
      const isKept = kept.has(ip) || others.length > 0
      const until = at + quarantineSeconds * 1000
      if (!isKept) resting.set(ip, { holder: holderOf(story.uid, lease), until })
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
    const open = new Set((before?.frontends ?? []).map(frontendText))
    const opened = event.data.frontends.map(frontendText).filter((each) => !open.has(each))
    checkOpened(world, uid, new Set(opened))
    for (const lease of [...leases, ...leaving]) {
      const { ip } = lease
      if (had.has(ip)) continue
      checkRest(resting.get(ip), { uid, ip, at, holder: holderOf(uid, lease) })
      resting.delete(ip)
      checkProviders(world, oracle, { uid, ip })
      checkShown(oracle, { uid, ip })
    }
  }
}

/** P2: an address stays theirs when one of those who share it lets go. */
const checkRow = (world: World, ip: string, [other]: readonly LogStory[]): void => {
  const row = world.claims().find(({ key }) => key === ip)
  if (other === undefined || (row !== undefined && row.holder !== null)) return
  throw new Violation('P2', `${ip} of ${other.uid} was let go by another that shared it`)
}

const holderOf = (uid: string, { group }: Lease): string => group ?? uid

/** Others that hold the address by the log. */
const othersWith = ({ stories }: Oracle, uid: string, ip: string): readonly LogStory[] =>
  [...stories.all()].filter(
    (other) => other.uid !== uid && other.leases.some((lease) => lease.ip === ip),
  )

/** Whether the users of both asked for it: the same key in one namespace of one cluster, at some time. */
const mayShare = ({ services }: Oracle, a: string, b: string): boolean => {
  const theirs = services.get(b)?.groups
  return [...(services.get(a)?.groups ?? [])].some((group) => theirs?.has(group) === true)
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
  oracle: Oracle,
  event: Extract<RecordedEvent, { type: 'FrontendsAllocated' }>,
): void => {
  const uid = event.correlationid
  const taken = new Set(event.data.frontends.map(frontendText))
  const ips = new Map(event.data.leases.map((lease) => [lease.ip, lease.group]))
  for (const other of oracle.stories.all()) {
    if (other.uid === uid) continue
    const clash = other.frontends.map(frontendText).find((frontend) => taken.has(frontend))
    if (clash !== undefined) {
      throw new Violation('P1', `${clash} is given to ${uid} while ${other.uid} holds it`)
    }
    const shared = other.leases.find(({ ip }) => ips.has(ip))
    if (shared === undefined) continue
    const asOne = shared.group !== undefined && shared.group === ips.get(shared.ip)
    if (!asOne || !mayShare(oracle, uid, other.uid)) {
      throw new Violation('P2', `${shared.ip} is given to ${uid} while ${other.uid} holds it`)
    }
  }
}

interface Given {
  readonly uid: string
  readonly ip: string
}

const checkRest = (
  rest: Rest | undefined,
  { uid, ip, at, holder }: Given & { readonly at: number; readonly holder: string },
): void => {
  if (rest === undefined || rest.holder === holder || at >= rest.until) return
  const early = rest.until - at
  throw new Violation('P2', `${ip} of ${rest.holder} is given to ${uid} ${early} ms early`)
}

/** P1: what is given now is with no provider for another Service. */
const checkOpened = (world: World, uid: string, opened: ReadonlySet<string>): void => {
  for (const { ref, marks, desired } of world.clouds.flatMap((cloud) => cloud.truth())) {
    if (marks === null || marks.service === uid) continue
    const clash = desired?.frontends.map(frontendText).find((each) => opened.has(each))
    if (clash === undefined) continue
    throw new Violation('P1', `${clash} is given to ${uid} while ${ref} of ${marks.service} has it`)
  }
}

const checkProviders = (world: World, oracle: Oracle, { uid, ip }: Given): void => {
  for (const { ref, marks, desired } of world.clouds.flatMap((cloud) => cloud.truth())) {
    if (marks === null || marks.service === uid || mayShare(oracle, uid, marks.service)) continue
    if (desired?.frontends.some((frontend) => frontend.ip === ip) === true) {
      throw new Violation('P2', `${ip} is given to ${uid} while ${ref} of ${marks.service} has it`)
    }
  }
}

const checkShown = (oracle: Oracle, { uid, ip }: Given): void => {
  const { services } = oracle
  for (const other of services.all()) {
    if (other.uid === uid || !services.served(other.cluster)) continue
    if (mayShare(oracle, uid, other.uid)) continue
    const shown = other.object?.status.loadBalancer.ingress ?? []
    if (shown.some((entry) => entry.ip === ip)) {
      throw new Violation('P2', `${ip} is given to ${uid} while Service ${other.uid} shows it`)
    }
  }
}
