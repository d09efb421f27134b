import type { DesiredResource } from '@weir/contract'
import { silentLogger, systemClock } from '@weir/kernel'
import {
  createKernelPlane,
  type KernelPlane,
  type KernelPlaneOptions,
} from '../data-plane/kernel/kernel-plane.ts'
import { addressOf, vipPort, vips, type Lab } from './lab.ts'
import { desiredOf, type Wish } from './orders.ts'

export type EdgeHost = 'e1' | 'e2'
export type NodeHost = 'n1' | 'n2' | 'n3'

export const everyFlow = (['IPv4', 'IPv6'] as const).flatMap((family) =>
  (['TCP', 'UDP'] as const).map((protocol) => ({ family, protocol, address: vips[family] })),
)

/** A node of the lab as a target. */
export const targetOf = (node: NodeHost, weight = 1) => ({ node, ip: addressOf(node).IPv4, weight })

/** A resource with the lab's virtual addresses, TCP and UDP, on two of the nodes unless said otherwise. */
export const desiredFor = (over: Partial<Wish> = {}): DesiredResource =>
  desiredOf({
    uid: '5e1f0000-0000-4000-8000-000000000001',
    policy: 'Local',
    frontends: everyFlow.map(({ address, protocol }) => ({
      ip: address,
      protocol,
      port: vipPort,
      nodePort: 30_080,
    })),
    targets: [targetOf('n1'), targetOf('n2')],
    ...over,
  })

/** Serves as ordered, with all targets usable unless some are named. */
export const serve = (
  plane: KernelPlane,
  desired = desiredFor(),
  usable: readonly { node: string; ip: string; weight: number }[] = desired.targets,
) => plane.serve(desired, usable)

/** Which nodes answered. */
export const nodesOf = (answers: readonly (string | null)[]): ReadonlySet<string | undefined> =>
  new Set(answers.map((answer) => answer?.split(' ')[0]))

/** Kernel data planes on the edges of a lab. */
export interface KernelEdges {
  planeOn(edge: EdgeHost, over?: Partial<KernelPlaneOptions>): Promise<KernelPlane>
  /** Closes all planes and empties the kernels of the edges. */
  clear(): Promise<void>
}

export const createKernelEdges = (lab: Lab): KernelEdges => {
  let planes: KernelPlane[] = []
  return {
    planeOn: async (edge, over = {}) => {
      const options = { device: 'eth0', drainMs: 60_000, run: lab.on(edge), clock: systemClock }
      const plane = await createKernelPlane({
        ...options,
        log: silentLogger,
        lookMs: 100,
        ...over,
      })
      planes.push(plane)
      return plane
    },
    clear: async () => {
      await Promise.all(planes.map((plane) => plane.close()))
      planes = []
      for (const edge of ['e1', 'e2'] as const) await lab.on(edge)(['nft', 'flush', 'ruleset'])
    },
  }
}
