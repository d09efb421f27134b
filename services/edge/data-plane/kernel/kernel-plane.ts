import {
  frontendText,
  type DesiredResource,
  type EdgeRepair,
  type ResourceKey,
} from '@weir/contract'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { affinityClassFor, type AffinityClass } from '../../domain/affinity-class.ts'
import { adoptedTable } from '../../domain/adopted-table.ts'
import { packStages } from '../../domain/forwarding-changes.ts'
import { mapNames } from '../../domain/forwarding-elements.ts'
import {
  createForwardingModel,
  type ForwardingModel,
  type Wanted,
} from '../../domain/forwarding-model.ts'
import {
  classIdOf,
  emptyTable,
  type FrontendKey,
  type FrontendState,
} from '../../domain/forwarding-table.ts'
import { minimalRanges } from '../../domain/minimal-ranges.ts'
import { straysIn } from '../../domain/strays.ts'
import type { WeightedTarget } from '../../domain/usable-targets.ts'
import type { DataPlane, PlaneCounters, ServeOutcome } from '../data-plane.ts'
import { carried, isSctp, keyOfFrontend } from './carried.ts'
import { createDrains, noteDrains } from './drains.ts'
import { createNeighbours, readOwnMac } from './neighbours.ts'
import { createNft, type Nft } from './nft.ts'
import { createReach, type Reach } from './reach.ts'
import { createRepairs } from './repairs.ts'
import { createReturnCalls, type Connect } from './return-calls.ts'
import type { RunProgram } from './run-program.ts'
import { testNft } from './self-test.ts'
import { openTunnel, type TunnelOptions } from './tunnel.ts'
import { createVouching } from './vouching.ts'
import { createWriter } from './writer.ts'

export interface KernelPlaneOptions {
  /** The interface that clients' packets come in by and nodes are reached by. */
  readonly device: string
  /** How long a flow may go on after its node or frontend left the order, and an idle one stays pinned. */
  readonly drainMs: number
  /** How nodes elsewhere are reached; undefined refuses them. */
  readonly vxlan?: TunnelOptions | undefined
  /** Addresses of the other edges and of routers: no node may have one, or packets would go in rings. */
  readonly peers?: readonly string[]
  readonly run: RunProgram
  readonly clock: Clock
  readonly log: Logger
  /** How often the kernel's table is compared with what it should be, ms; default one minute; less often where that takes long. */
  readonly verifyMs?: number
  /** How often neighbours and counters are read, ms; default two seconds. */
  readonly lookMs?: number
  /** Connects from the namespace that `run` runs in; from this process's unless said otherwise. */
  readonly connect?: Connect
}

export interface KernelPlane extends DataPlane {
  /** Compares the kernel's table with what it should be and repairs it. How many elements differed. */
  verify(): Promise<number>
}

interface Served {
  readonly desired: DesiredResource
  readonly targets: readonly WeightedTarget[]
}

/**
 * Forwards packets in the kernel, as they came, to nodes on the segment of one interface, and to others by
 * VXLAN; nodes answer clients directly. All state is in one nftables table that outlives this process: a new one adopts it.
 *
 * Wishes that come while a transaction runs go into the next one together.
 * @throws OperatingError when this process may not, or nft or the interface is missing or unfit
 */
export const createKernelPlane = async (options: KernelPlaneOptions): Promise<KernelPlane> => {
  const { device, run, clock, drainMs, vxlan, peers = [] } = options
  const pinSeconds = Math.max(1, Math.ceil(drainMs / 1000))
  try {
    const mac = await readOwnMac(run, device)
    const tunnel = vxlan && (await openTunnel(run, vxlan))
    const skeleton = { device, mac, pinSeconds, tunnel }
    await testNft(run, skeleton)
    const nft = createNft(run, skeleton)
    const model = await adopt(nft)
    const neighbours = createNeighbours({ run, device, clock })
    const addresses = new Set<string>()
    const about = { run, device, mac, neighbours, tunnel, peers, served: addresses }
    const reach = await createReach(about)
    const plane = createPlane({ ...options, nft, model, reach, addresses })
    const looking = plane.look()
    // A look that is under way might else repair what somebody changes once this plane is closed.
    const close = (): Promise<void> => plane.close().then(() => looking)
    return { ...plane, close }
  } catch (cause) {
    if (!(cause instanceof OperatingError)) throw cause
    const remedy = 'it needs root, nft and ip; or set WEIR_FLEET_DATA_PLANE=userspace'
    throw new OperatingError(`cannot forward in the kernel on ${device}; ${remedy}`, { cause })
  }
}

/** Few enough for the smallest buffer of a socket. */
const straysAtOnce = 1000

/** Goes on with the table that an earlier process left, if its rules are these. */
const adopt = async (nft: Nft): Promise<ForwardingModel> => {
  if (!(await nft.isLoaded())) {
    await nft.load()
    return createForwardingModel(emptyTable, 0)
  }
  const held = await nft.elements(mapNames)
  const table = adoptedTable(held)
  const strays = straysIn(held, table).map((stray) => ({ deleted: [stray], added: [] }))
  for (const packed of packStages([strays], straysAtOnce)) await nft.commit(packed)
  const known = [...(await nft.pins()), ...(await nft.clients())]
  const pinned = known.map(({ service }) => classIdOf(service) ?? 0)
  const lastId = [...table.services.keys(), ...pinned].reduce((most, id) => Math.max(most, id), 0)
  return createForwardingModel(table, lastId)
}

interface Parts extends KernelPlaneOptions {
  readonly nft: Nft
  readonly model: ForwardingModel
  readonly reach: Reach
  /** Every address that is or was served here. */
  readonly addresses: Set<string>
}

const createPlane = (parts: Parts): KernelPlane & { look(): Promise<void> } => {
  const { nft, model, reach, clock, log, drainMs } = parts
  const services = new Map<ResourceKey, Served>()
  /** Those of whom it was told that every node is reached; what others miss is told with their refusal. */
  const whole = new Set<ResourceKey>()
  const drains = createDrains(drainMs, clock)
  const stop = new AbortController()
  const writer = createWriter({ ...parts, signal: stop.signal })
  let counters = noCounters

  const wantedOf = ({ desired, targets }: Served): Wanted => ({
    key: desired.marks.key,
    frontends: new Map<FrontendKey, FrontendState>([
      ...drains.closing(desired.marks.key).map((key) => [key, 'closing'] as const),
      ...carried(desired).map((at) => [keyOfFrontend(at), 'open'] as const),
    ]),
    ranges: desired.sourceRanges.length === 0 ? undefined : minimalRanges(desired.sourceRanges),
    affinity: affinityOf(desired),
    nodes: targets.flatMap(({ node, ip, weight }) => {
      const mac = reach.macOf(ip)
      return mac === undefined ? [] : [{ node, weight, mac }]
    }),
  })
  /** The nodes that should take flows and have no way, with the reason. */
  const lostOf = (targets: readonly WeightedTarget[]): readonly string[] =>
    targets
      .filter(({ ip }) => reach.macOf(ip) === undefined)
      .map(({ node, ip }) => `node ${node} (${ip}) ${reach.problemOf(ip)}`)
  const apply = async (served: Served): Promise<ServeOutcome> => {
    const { desired, targets } = served
    const refused = await writer.want(wantedOf(served))
    const lost = lostOf(targets)
    const problems = [
      ...desired.frontends.filter(isSctp).map((at) => `${frontendText(at)} can't be opened: SCTP`),
      ...refused.map((key) => `${key} can't be opened: ${model.holderOf(key) ?? 'another'} has it`),
      ...lost,
    ]
    if (problems.length === 0) return { status: 'serving' }
    const open = carried(desired).filter((at) => !refused.includes(keyOfFrontend(at)))
    const nodes = targets.length - lost.length
    const problem = problems.slice(0, 5).join('; ')
    return { status: 'refused', problem, served: { addresses: open.map(({ ip }) => ip), nodes } }
  }
  const endDrains = async (): Promise<void> => {
    const { keys, macs } = drains.over()
    for (const key of keys) {
      const served = services.get(key)
      if (served) await writer.want(wantedOf(served))
    }
    if (macs.length === 0) return
    const over = new Set(macs.map(({ service, mac }) => `${service} ${mac}`))
    await nft.unpin((await nft.pins()).filter(({ service, mac }) => over.has(`${service} ${mac}`)))
  }
  const followNodes = async (): Promise<void> => {
    const changed = await reach.refresh()
    if (changed) await Promise.all([...services.values()].map(apply))
  }
  const lookOnce = async (): Promise<void> => {
    await followNodes()
    await endDrains()
    const { forwardedBytes, denied, unserved } = await nft.takeCounts()
    counters = {
      ...noCounters,
      bytesToNodes: counters.bytesToNodes + forwardedBytes,
      deniedBySource: counters.deniedBySource + denied,
      unserved: counters.unserved + unserved,
    }
  }
  const repairs = createRepairs(clock)
  const { lookMs = 2000, verifyMs = 60_000 } = parts
  const vouching = createVouching(clock, verifyMs)
  const verify = async (): Promise<EdgeRepair | null> =>
    repairs.note(await vouching.note(writer.verify))
  /** Pinned flows are those that are known: idle ones lose their pin with the drain time. */
  const countFlows = async (): Promise<ReadonlyMap<ResourceKey, number>> => {
    const byService = Map.groupBy(await nft.pins(), ({ service }) => classIdOf(service))
    return new Map(
      [...services.keys()].map((key) => [key, byService.get(model.idOf(key))?.length ?? 0]),
    )
  }

  return {
    kind: 'kernel',
    serve: async (desired, targets) => {
      const key = desired.marks.key
      for (const { ip } of desired.frontends) parts.addresses.add(ip)
      await reach.want(targets.map(({ ip }) => ip))
      const before = services.get(key)
      const served = { desired, targets }
      services.set(key, served)
      const id = model.idOf(key)
      if (before) noteDrains(drains, { before: before.desired, now: desired, id, reach })
      try {
        const outcome = await apply(served)
        if (outcome.status === 'serving') whole.add(key)
        else whole.delete(key)
        return outcome
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
        vouching.suspect()
        return { status: 'refused', problem: explainError(error) }
      }
    },
    remove: async (key) => {
      services.delete(key)
      whole.delete(key)
      drains.forget(key)
      await writer.want(goneOf(key))
    },
    releaseUnclaimed: () => writer.releaseUnclaimed(),
    verify: async () => (await verify())?.elements ?? 0,
    inspect: async () => {
      await followNodes()
      const lost = new Set([...whole].flatMap((key) => lostOf(services.get(key)?.targets ?? [])))
      const problem = lost.size === 0 ? null : [...lost].slice(0, 5).join('; ')
      return { repaired: await verify(), flows: await countFlows(), problem }
    },
    repairs: () => repairs.newest(),
    doubt: () => vouching.doubt(),
    callNode: createReturnCalls(parts).call,
    counters: () => counters,
    close: async () => {
      stop.abort()
      await writer.idle()
    },
    look: async () => {
      const attempt = (looking: Promise<unknown>): Promise<unknown> =>
        looking.catch((error: unknown) => {
          if (!(error instanceof OperatingError)) throw error
          vouching.suspect()
          const problem = explainError(error)
          if (!stop.signal.aborted) log.warn({ problem }, 'cannot look after the kernel’s table')
        })
      // Beside all else: it may take a minute, and nodes are followed and drains end meanwhile.
      let verifying: Promise<unknown> | undefined
      while (!stop.signal.aborted) {
        await clock.sleep(lookMs, stop.signal)
        if (stop.signal.aborted) break
        await attempt(lookOnce())
        if (!vouching.isDue()) continue
        verifying ??= attempt(verify()).finally(() => (verifying = undefined))
      }
      await verifying
    },
  }
}

const goneOf = (key: ResourceKey): Wanted => ({
  key,
  frontends: new Map(),
  ranges: undefined,
  affinity: undefined,
  nodes: [],
})

const affinityOf = ({ affinity }: DesiredResource): AffinityClass | undefined =>
  affinity.kind === 'ClientIP' ? affinityClassFor(affinity.timeoutSeconds) : undefined

/** The kernel counts packets and bytes, and knows no connections. */
const noCounters: PlaneCounters = {
  connectionsOpen: 0,
  connections: 0,
  udpSessionsOpen: 0,
  udpSessions: 0,
  deniedBySource: 0,
  deniedByLimit: 0,
  connectFailures: 0,
  unserved: 0,
  bytesToNodes: 0,
  bytesToClients: 0,
}
