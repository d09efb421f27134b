import { connectBus, type Bus } from '@weir/bus'
import { OperatingError } from '@weir/kernel'
import { run, type ServiceContext } from '@weir/runtime'
import { join } from 'node:path'
import { createBgpHerald } from './announce/bgp-herald.ts'
import { connectGobgp } from './announce/gobgp.ts'
import { noHerald, type Herald } from './announce/herald.ts'
import { createL2Herald } from './announce/l2-herald.ts'
import { config, type EdgeConfig } from './config.ts'
import type { DataPlane } from './data-plane/data-plane.ts'
import { createEnvoyPlane } from './data-plane/envoy/envoy-plane.ts'
import { createKernelPlane } from './data-plane/kernel/kernel-plane.ts'
import { createProgramRunner } from './data-plane/kernel/program-runner.ts'
import { runProgram } from './data-plane/kernel/run-program.ts'
import { createUserspacePlane } from './data-plane/userspace/userspace.ts'
import { createEdgeAgent } from './handle.ts'
import { measurePlane } from './measure.ts'
import { openOrderJournal } from './state/order-journal.ts'

/** @throws OperatingError when the kernel or Envoy cannot be used here, with what to do about it */
const openPlane = async (context: ServiceContext<EdgeConfig>): Promise<DataPlane> => {
  const { config: settings, clock, ids, log } = context
  const drainMs = settings.WEIR_EDGE_DRAIN_SECONDS * 1_000
  if (settings.WEIR_FLEET_DATA_PLANE === 'kernel') {
    const device = settings.WEIR_EDGE_INTERFACE
    const vni = settings.WEIR_EDGE_VXLAN_VNI
    const vxlan = vni === undefined ? undefined : { vni }
    const peers = settings.WEIR_EDGE_PEERS
    const runner = createProgramRunner()
    const { run } = runner
    const plane = await createKernelPlane({ device, drainMs, vxlan, peers, run, clock, log })
    return { ...plane, close: () => plane.close().then(() => runner.stop()) }
  }
  const limits = {
    udpIdleMs: settings.WEIR_EDGE_UDP_IDLE_SECONDS * 1_000,
    connectionsPerFrontend: settings.WEIR_EDGE_CONNECTIONS_PER_FRONTEND,
    udpSessionsPerFrontend: settings.WEIR_EDGE_UDP_SESSIONS_PER_FRONTEND,
  }
  if (settings.WEIR_FLEET_DATA_PLANE === 'envoy') {
    const edge = settings.WEIR_EDGE_ID
    const program = settings.WEIR_ENVOY
    const folder = join(settings.WEIR_EDGE_STATE_DIR, 'envoy')
    return createEnvoyPlane({ edge, program, folder, drainMs, limits, run: runProgram, clock, log })
  }
  return createUserspacePlane({ clock, ids, limits: { ...limits, drainMs } })
}

/** @throws OperatingError when the segment cannot be looked after here */
const openHerald = async (context: ServiceContext<EdgeConfig>): Promise<Herald> => {
  const { config: settings, clock, ids, log } = context
  switch (settings.WEIR_EDGE_ANNOUNCE) {
    case 'none':
      return noHerald
    case 'l2': {
      // It drops what the kernel's data plane leaves, which is all that another one lives on.
      if (settings.WEIR_FLEET_DATA_PLANE !== 'kernel') {
        throw new OperatingError('WEIR_EDGE_ANNOUNCE=l2 needs WEIR_FLEET_DATA_PLANE=kernel')
      }
      const device = settings.WEIR_EDGE_INTERFACE
      return createL2Herald({ device, run: runProgram, clock, log })
    }
    case 'bgp': {
      const { WEIR_EDGE_BGP_NEXT_HOP: IPv4, WEIR_EDGE_BGP_NEXT_HOP_V6: IPv6 } = settings
      return createBgpHerald({
        gobgp: connectGobgp({ address: settings.WEIR_EDGE_BGP_API, now: () => clock.now() }),
        nextHops: { IPv4, IPv6 },
        communities: settings.WEIR_EDGE_BGP_COMMUNITIES,
        clock,
        ids,
        log,
      })
    }
  }
}

await run({
  service: 'edge',
  version: '0.1.0',
  config,
  start: async (context: ServiceContext<EdgeConfig>) => {
    const { config: settings, log, clock, ids, signal, health, metrics, trace } = context
    const plane = await openPlane(context)
    const herald = await openHerald(context)
    const agent = createEdgeAgent({
      fleet: settings.WEIR_FLEET,
      edge: settings.WEIR_EDGE_ID,
      plane,
      herald,
      journal: await openOrderJournal(settings.WEIR_EDGE_STATE_DIR, log),
      clock,
      ids,
      log,
      signal,
      probeIntervalMs: settings.WEIR_EDGE_PROBE_INTERVAL_MS,
      returnEveryMs: settings.WEIR_EDGE_RETURN_SECONDS * 1_000,
      span: (name, parent, work) => trace.span(name, { parent, kind: 'consumer' }, work),
    })
    await agent.start()
    const measured = measurePlane(plane, metrics, clock)

    health.add('announce', () => herald.problem())
    health.add('data-plane', () => plane.doubt())

    // The bus is not waited for: an edge forwards when everything else is dead.
    let bus: Bus | undefined
    health.add('bus', () =>
      bus?.connected() ? undefined : 'NATS_URL does not answer; forwarding on',
    )
    const follow = async (): Promise<void> => {
      const options = { url: settings.NATS_URL, name: `edge ${settings.WEIR_EDGE_ID}`, signal }
      bus = await connectBus({ ...options, clock, ids, logger: log })
      await agent.follow(bus)
    }
    const following = follow().catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    return {
      stop: async () => {
        await following
        await bus?.close()
        measured.stop()
        await agent.stop()
      },
    }
  },
})
