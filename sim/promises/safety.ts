// The safety promises, checked after every step on what that step wrote into the ledger.
import type { RecordedEvent } from '@weir/contract'
import {
  createLogStories,
  type LogResource,
  type LogStories,
  type LogStory,
} from '../truth/story.ts'
import type { Entry, ProviderAct } from '../truth/ledger.ts'
import { createTrueServices, type TrueServices } from '../truth/services.ts'
import { installation, type World } from '../world/world.ts'
import { createAddressCheck } from './addresses.ts'
import { checkKubeWrite } from './kube-writes.ts'
import { Violation } from './violation.ts'

export interface Oracle {
  readonly stories: LogStories
  readonly services: TrueServices
}

export interface Safety extends Oracle {
  /** Checks everything that is new since the last time. @throws Violation for the first that is broken. */
  check(): void
}

export const watchSafety = (world: World): Safety => {
  const stories = createLogStories()
  const services = createTrueServices()
  const oracle: Oracle = { stories, services }
  const checkAddresses = createAddressCheck(world, oracle)
  const versions = new Map<string, number>()
  const releasedAt = new Map<string, number>()
  let checked = 0

  const checkEvent = (event: RecordedEvent, at: number): void => {
    checkIntegrity(event, versions)
    const before = stories.get(event.correlationid)
    checkAddresses(event, before, at)
    stories.take(event)
    if (event.type === 'ResourceProgrammed') checkConfirmed(world, event)
    if (event.type === 'ResourceAbsent') {
      releasedAt.set(`${event.data.key}/${event.data.epoch}`, at)
    }
    const story = stories.get(event.correlationid)
    if (event.type === 'ReleaseRequested' && story !== undefined) checkRelease(story, services)
  }

  const take = (entry: Entry): void => {
    services.take(entry)
    switch (entry.kind) {
      case 'event':
        return checkEvent(entry.event, entry.at)
      case 'kube-change':
        return
      case 'kube-write':
        return checkKubeWrite(world, oracle, entry.write)
      case 'provider':
        return checkProvider(world, oracle, { act: entry.act, releasedAt })
    }
  }
  return {
    stories,
    services,
    check: () => {
      const { entries } = world.ledger
      for (; checked < entries.length; checked += 1) {
        const entry = entries[checked]
        if (entry !== undefined) take(entry)
      }
    },
  }
}

/** P10: the versions of a stream follow one another, whoever writes. */
const checkIntegrity = (event: RecordedEvent, versions: Map<string, number>): void => {
  const stream = `${event.tenantid} ${event.subject}`
  const before = versions.get(stream) ?? 0
  versions.set(stream, event.streamversion)
  if (event.streamversion === before + 1) return
  throw new Violation('P10', `${stream} has version ${event.streamversion} after ${before}`)
}

/** P5, where it begins: what is said to be confirmed is there, and is not still being made. */
const checkConfirmed = (
  { clouds }: World,
  { data }: Extract<RecordedEvent, { type: 'ResourceProgrammed' }>,
): void => {
  const there = clouds
    .flatMap((cloud) => cloud.truth())
    .find(({ marks }) => marks?.key === data.key && marks.epoch === data.epoch)
  if (there !== undefined && there.state !== 'building') return
  const state = there?.state ?? 'not there'
  throw new Violation('P5', `${data.key}/${data.epoch} is said to be programmed, and is ${state}`)
}

/** P8, where it is decided: a life ends only if the Service truly stopped wanting it since it began. */
const checkRelease = (story: LogStory, services: TrueServices): void => {
  const truth = services.get(story.uid)
  if (truth === undefined) return
  if (truth.ends >= story.releases) return
  throw new Violation(
    'P8',
    `life ${story.releases} of ${story.uid} is to end, but the Service is wanted ` +
      `and stopped being so ${truth.ends} times`,
  )
}

interface Acted {
  readonly act: ProviderAct
  /** When the absence of `KEY/EPOCH` was recorded. */
  readonly releasedAt: ReadonlyMap<string, number>
}

const checkProvider = (world: World, oracle: Oracle, { act, releasedAt }: Acted): void => {
  if (act.act === 'gone') return
  const story = oracle.stories.get(act.service)
  const resource = story?.resources.get(act.key)
  const place = `${act.epoch}/${act.generation}`
  const what = `${act.by} ${act.act}s ${act.ref} (${act.key} ${place})`
  if (act.installation !== installation) {
    throw new Violation('P8', `${what}, which carries marks of "${act.installation}"`)
  }
  if (act.act === 'delete') return checkDelete(act, what, story)
  if (resource?.intended.has(place) !== true) {
    throw new Violation('P3', `${what}, which no event intended`)
  }
  if (act.act === 'create') {
    if (oracle.services.get(act.service)?.everHeld !== true) {
      throw new Violation('P6', `${what} before its Service ever had our finalizer`)
    }
    checkAlone(world, act, what)
  }
  const gone = releasedAt.get(`${act.key}/${act.epoch}`)
  // A late call that was under way when the absence was read cannot be called back; one that began after
  // it should never have been made.
  const isFenced = world.clouds.find(({ name }) => name === act.driver)?.kind === 'fleet'
  if (gone !== undefined && (isFenced || act.askedAt > gone)) {
    throw new Violation('P7', `${what}, which was asked for after its absence was recorded`)
  }
}

/** P4: one resource of a key, however often it was asked for. */
const checkAlone = (world: World, act: ProviderAct, what: string): void => {
  const cloud = world.clouds.find(({ name }) => name === act.driver)
  const alive = (cloud?.truth() ?? []).filter(
    ({ marks, state, isGhost = false }) =>
      marks?.key === act.key && state !== 'deleting' && !isGhost,
  )
  if (alive.length <= 1) return
  throw new Violation('P4', `${what} beside ${alive.map(({ ref }) => ref).join(', ')}`)
}

/** What cleanup deletes was condemned with its evidence, and its delete was intended after that. */
const checkCondemned = (
  act: ProviderAct,
  what: string,
  resource: LogResource | undefined,
): void => {
  const condemned = resource?.condemned.get(act.ref)
  if (condemned === undefined) throw new Violation('P8', `${what}, which was not condemned`)
  if ((resource?.toDelete.get(act.epoch) ?? 0) > condemned) return
  throw new Violation('P8', `${what}, whose delete was not intended after it was condemned`)
}

/** P8, where it is done: an intent in the log comes first, and what serves a life is left alone. */
const checkDelete = (act: ProviderAct, what: string, story: LogStory | undefined): void => {
  const resource = story?.resources.get(act.key)
  const superseded = (resource?.intendedEpoch ?? 0) > act.epoch
  if (resource?.deleteIntended.has(act.epoch) !== true && !superseded) {
    throw new Violation('P8', `${what}, which no event intended to delete`)
  }
  if (act.by.startsWith('gc-')) checkCondemned(act, what, resource)
  if ((story?.releases ?? 0) + (story?.moves ?? 0) >= act.epoch) return
  throw new Violation('P8', `${what}, whose life nobody asked to end`)
}
