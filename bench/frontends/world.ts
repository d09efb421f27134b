import type { DesiredResource } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import type { DataPlane } from '../../services/edge/data-plane/data-plane.ts'
import {
  createKernelPlane,
  type KernelPlane,
} from '../../services/edge/data-plane/kernel/kernel-plane.ts'
import { createProgramRunner } from '../../services/edge/data-plane/kernel/program-runner.ts'
import { addressOf, vipPort, vips } from '../../services/edge/rig/lab.ts'
import { desiredOf } from '../../services/edge/rig/orders.ts'

export const frontendPort = 443
/** A cluster has three nodes and five Services with one frontend each, which share its set of nodes. */
export const servicesPerCluster = 5
export const nodes = ['n1', 'n2', 'n3'] as const

/** The plane as the agent makes it, on the machine's real clock and programs, with nodes that it knows. */
export const openPlane = async (): Promise<KernelPlane> => {
  const plane = await createKernelPlane({
    device: 'eth0',
    drainMs: 60_000,
    run: createProgramRunner().run,
    clock: systemClock,
    log: silentLogger,
  })
  // Nodes answer ARP in their own time on a busy machine, and that is not what is measured.
  const first = answeredService()
  await eventually(async () => (await plane.serve(first, first.targets)).status === 'serving')
  await plane.remove(first.marks.key)
  return plane
}

/** Service number `at`, sent to the first `nodeCount` nodes of its cluster. */
export const serviceAt = (at: number, nodeCount = 3): DesiredResource => {
  const cluster = Math.floor(at / servicesPerCluster)
  return desiredOf({
    uid: `00000000-0000-4000-8000-${at.toString(16).padStart(12, '0')}`,
    frontends: [{ ip: addressAt(at), protocol: 'TCP', port: frontendPort, nodePort: 30_443 }],
    targets: targetsOf(`c${cluster}`, nodeCount),
  })
}

/** The Service that the lab's nodes answer for. */
export const answeredService = (nodeCount = 3): DesiredResource =>
  desiredOf({
    uid: 'ffffffff-0000-4000-8000-000000000000',
    frontends: [{ ip: vips.IPv4, protocol: 'TCP', port: vipPort, nodePort: 30_080 }],
    targets: targetsOf('lab', nodeCount),
  })

const targetsOf = (cluster: string, count: number) =>
  nodes
    .slice(0, count)
    .map((node) => ({ node: `${cluster}-${node}`, ip: addressOf(node).IPv4, weight: 1 }))

/** Of 100.64.0.0/10, which has room for four million. */
export const addressAt = (at: number): string =>
  `100.${64 + (at >>> 16)}.${(at >>> 8) & 0xff}.${at & 0xff}`

/** Has the plane serve them all at once. @throws when one is refused */
export const serveAll = async (
  plane: DataPlane,
  desired: readonly DesiredResource[],
): Promise<void> => {
  const outcomes = await Promise.all(desired.map((each) => plane.serve(each, each.targets)))
  const refused = outcomes.find((outcome) => outcome.status === 'refused')
  if (refused?.status === 'refused') throw new Error(`the plane refused: ${refused.problem}`)
}

/** How long something took, ms. */
export const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return performance.now() - began
}

export const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => from + at)
