import { serviceUid, type ServiceObservation, type ServiceUid } from '@weir/contract'
import type { Store } from '@weir/eventlog'
import {
  backoffMs,
  explainError,
  OperatingError,
  type Clock,
  type Ids,
  type Logger,
} from '@weir/kernel'
import {
  kubeService,
  seeService,
  type KubeService,
  type ReflectorHandler,
  type SeenService,
} from '@weir/kube'
import type { Metrics, Trace } from '@weir/runtime'
import { shownText, verifyIdentity, type Desk } from './desk.ts'
import type { Absence } from './absence.ts'
import type { Publisher } from './publisher.ts'
import { consumer } from './reconcile.ts'
import { createRoom } from './room.ts'
import { recordHold } from './record-hold.ts'

export interface ServiceWatchPorts {
  readonly desk: Desk
  readonly store: Pick<Store, 'log' | 'work'>
  readonly publisher: Publisher
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly trace: Pick<Trace, 'span'>
  readonly metrics: Pick<Metrics, 'stage'>
  /** What an earlier watcher saw, by UID: Services that may have gone while nobody looked. */
  readonly remembered: ReadonlyMap<ServiceUid, ServiceObservation>
  readonly absence: Absence
  /** A Service came into our care, or left it. */
  readonly onCare: (service: SeenService) => void
  /** Services that wait in memory before the API server is slowed down. */
  readonly most?: number
  readonly signal: AbortSignal
}

const holdAgainMs = 2000
const lookAgainMs = 30_000
/** What others wrote before this process began is verified so slowly that a restart disturbs nobody. */
const verifiedAtOnce = 25

/** Turns what happens to Services into finalizers first, and observations then. */
export interface ServiceWatch {
  readonly parse: (raw: unknown) => KubeService
  readonly handler: ReflectorHandler<KubeService>
  /** Marks Services for a look whose state waits for somebody, such as one that is on its way out. */
  sweep(): Promise<void>
}

export const createServiceWatch = (ports: ServiceWatchPorts): ServiceWatch => {
  const { desk, publisher, logger, clock } = ports
  const { tenant, cluster } = desk.known
  const inCare = new Set<ServiceUid>(ports.remembered.keys())
  const room = createRoom(ports.most ?? 512)
  const lookedAt = new Map<ServiceUid, number>()
  const toLookAt = new Set<ServiceUid>()
  const toHandle = new Set<ServiceUid>()
  const toVerify = new Set<ServiceUid>()
  const last = new Map<ServiceUid, { readonly wish: string; readonly text: string }>()
  const heldAt = new Map<ServiceUid, number>()

  const publish = (seen: SeenService, phase: ServiceObservation['phase'], trace?: string) =>
    publisher.publish({
      kind: 'service',
      tenant,
      cluster: cluster.id,
      serviceUid: seen.uid,
      namespace: seen.namespace,
      name: seen.name,
      phase,
      intent: seen.intent,
      ...(trace === undefined ? {} : { traceparent: trace }),
    })

  /** The finalizer goes on before anybody hears of the Service, and its acknowledgement is recorded. */
  const hold = async (seen: SeenService, traceparent: string): Promise<SeenService | undefined> => {
    // Somebody strips what we put on: the sweep comes back to it, no faster.
    if (clock.now() - (heldAt.get(seen.uid) ?? -Infinity) < holdAgainMs) {
      toHandle.add(seen.uid)
      return undefined
    }
    const written = await desk.writer.hold(seen)
    if (written.status !== 'written') {
      logger.info({ service: seen.uid, outcome: written.status }, 'not held; waiting for its news')
      return undefined
    }
    const held = desk.cache.put(written.service)
    heldAt.set(seen.uid, clock.now())
    // The observation need not wait for the record. A Service that came back is not served without
    // it, so the sweep looks after a lost one.
    const recording = recordHold({ log: ports.store.log, logger }, tenant, held, traceparent)
    void recording.then((recorded) => recorded || toLookAt.add(seen.uid))
    return held
  }

  const handlePresent = (seen: SeenService): Promise<void> =>
    ports.trace.span(
      'observe service',
      { kind: 'client', attributes: { service: seen.uid } },
      async ({ traceparent }) => {
        const began = clock.now()
        const held = seen.held ? seen : await hold(seen, traceparent)
        if (held === undefined || !held.wanted || held.deleting) return
        inCare.add(seen.uid)
        desk.released.delete(seen.uid)
        ports.onCare(held)
        await publish(held, 'present', traceparent)
        ports.metrics.stage('observe', (clock.now() - began) / 1000)
        lookIfTouched(seen)
      },
    )

  // Somebody changed what we wrote, or a refused wish became another: only the story tells what now. The
  // sweep asks it, so that a quarrel with another writer goes no faster than the sweep.
  const lookIfTouched = (seen: SeenService): void => {
    if (!seen.held) return
    const before = last.get(seen.uid)
    const text = shownText(seen)
    last.set(seen.uid, { wish: seen.intentHash, text })
    const wrote = desk.wrote.get(seen.uid)
    // Where another process wrote, what was seen before is what counts.
    const stood = wrote ?? before?.text
    const touched = stood !== undefined && stood !== text
    const lost = wrote === undefined && before === undefined && seen.ingress.length === 0
    const degraded = seen.conditions.some(
      (at) => at.type === 'weir.dev/Degraded' && at.status === 'True',
    )
    const revised = degraded && before?.wish !== seen.intentHash
    if (touched || lost || revised) toLookAt.add(seen.uid)
    else if (wrote === undefined && before === undefined) toVerify.add(seen.uid)
  }

  const handle = async (uid: ServiceUid): Promise<void> => {
    const seen = desk.cache.get(uid)
    if (seen === undefined) return
    if (seen.wanted && !seen.deleting) return handlePresent(seen)
    if (!seen.held && !inCare.has(uid)) return desk.cache.drop(uid)
    ports.onCare(seen)
    // Should it come back, its status was emptied meanwhile and wants a look, whatever was written before.
    last.delete(uid)
    desk.wrote.delete(uid)
    await publish(seen, seen.deleting ? 'deleting' : 'unwanted')
    if (!seen.held) inCare.delete(uid)
  }

  /** Goes on until it succeeded or the Service is somebody else's business. */
  const attempt = async (uid: ServiceUid, work: () => Promise<void>): Promise<void> => {
    for (let failures = 1; !ports.signal.aborted; failures += 1) {
      try {
        return await desk.queue.run(uid, work)
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
        const random = ports.ids.random()
        const waitMs = backoffMs({ minMs: 200, maxMs: 30_000 }, failures, random)
        logger.warn(
          { service: uid, waitMs, problem: explainError(error) },
          'cannot take in a Service',
        )
        await clock.sleep(Math.max(waitMs, error.retry?.afterMs ?? 0), ports.signal)
      }
    }
  }

  const sayGone = async (uid: ServiceUid): Promise<void> => {
    const known = desk.cache.get(uid)
    const before = ports.remembered.get(uid)
    desk.cache.drop(uid)
    last.delete(uid)
    toVerify.delete(uid)
    heldAt.delete(uid)
    desk.wrote.delete(uid)
    desk.released.delete(uid)
    if (!inCare.delete(uid)) return
    if (known !== undefined) return publish(known, 'gone')
    if (before === undefined) return
    const { watcherEpoch: _e, order: _o, seenAt: _s, traceparent: _t, ...facts } = before
    await publisher.publish({ ...facts, phase: 'gone' })
  }

  /** An end that a watch told of is believed when the right cluster, asked again, knows no such UID. */
  const confirmGone = async (object: KubeService): Promise<void> => {
    const { uid, namespace, name } = object.metadata
    if (!inCare.has(uid)) return desk.cache.drop(uid)
    if (desk.released.has(uid)) return sayGone(uid)
    await verifyIdentity(desk.connection, cluster.id)
    const there = await desk.writer.read({ uid, namespace, name })
    if (there === undefined) await sayGone(uid)
  }

  const concerns = (seen: SeenService): boolean =>
    seen.held || inCare.has(seen.uid) || (seen.wanted && !seen.deleting)

  return {
    parse: (raw) => kubeService.parse(raw),
    handler: {
      changed: async (object) => {
        const seen = seeService(object, { defaultClass: cluster.defaultClass })
        if (!concerns(seen)) return desk.cache.drop(seen.uid)
        desk.cache.put(seen)
        await room.enter(() => attempt(seen.uid, () => handle(seen.uid)))
      },
      deleted: async (object) => {
        const { uid } = object.metadata
        await room.enter(() => attempt(uid, () => confirmGone(object)))
      },
      mayBeGone: (uids) => {
        const ours = [...uids].filter((uid) => inCare.has(uid as ServiceUid))
        return ports.absence.isBelieved(ours.length, inCare.size)
      },
      missing: async (text) => {
        const uid = serviceUid.parse(text)
        await room.enter(() => attempt(uid, () => sayGone(uid)))
      },
      synced: async () => undefined,
    },
    sweep: async () => {
      const now = clock.now()
      for (const uid of toHandle) {
        toHandle.delete(uid)
        await room.enter(() => attempt(uid, () => handle(uid)))
      }
      const leaving = [...desk.cache.all()].filter(
        (at) =>
          at.held && (at.deleting || !at.wanted) && now - (lookedAt.get(at.uid) ?? 0) > lookAgainMs,
      )
      for (const uid of lookedAt.keys()) if (desk.cache.get(uid) === undefined) lookedAt.delete(uid)
      const some = [...toVerify].slice(0, verifiedAtOnce)
      const uids = new Set([...leaving.map(({ uid }) => uid), ...toLookAt, ...some])
      if (uids.size > 0) await ports.store.work.mark(consumer, tenant, [...uids])
      // Only now: a mark that fails is made by the next sweep.
      for (const { uid } of leaving) lookedAt.set(uid, now)
      for (const uid of some) toVerify.delete(uid)
      for (const uid of uids) toLookAt.delete(uid)
    },
  }
}
