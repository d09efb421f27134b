import { edgeId } from '@weir/contract'
import { settings } from '@weir/runtime'
import { z } from 'zod'
import { defaultLimits } from './data-plane/userspace/userspace.ts'

const whole = (fallback: number, most: number) =>
  z.coerce
    .number({ error: `expected a whole number from 1 to ${most}` })
    .int()
    .min(1)
    .max(most)
    .default(fallback)

/** The environment of an edge agent. */
export const config = z.object({
  NATS_URL: settings.NATS_URL,
  WEIR_FLEET: settings.WEIR_FLEET,
  WEIR_FLEET_DATA_PLANE: settings.WEIR_FLEET_DATA_PLANE,
  /** Of the kernel data plane: where clients' packets come in and nodes are reached. */
  WEIR_EDGE_INTERFACE: z
    .string()
    .regex(/^[\w.-]{1,15}$/, { error: 'expected the name of an interface such as eth0' })
    .default('eth0'),
  /** This machine's name in its fleet; two agents must not share one. */
  WEIR_EDGE_ID: z.string({ error: 'expected a name such as edge-1' }).pipe(edgeId),
  /** The folder of the last good state; it must outlive the process. */
  WEIR_EDGE_STATE_DIR: z.string({ error: 'expected a folder this user may write' }).min(1),
  /** How long a flow may go on after its node left the order. */
  WEIR_EDGE_DRAIN_SECONDS: whole(defaultLimits.drainMs / 1_000, 86_400),
  WEIR_EDGE_UDP_IDLE_SECONDS: whole(defaultLimits.udpIdleMs / 1_000, 86_400),
  WEIR_EDGE_CONNECTIONS_PER_FRONTEND: whole(defaultLimits.connectionsPerFrontend, 1_000_000),
  WEIR_EDGE_UDP_SESSIONS_PER_FRONTEND: whole(defaultLimits.udpSessionsPerFrontend, 60_000),
  WEIR_EDGE_PROBE_INTERVAL_MS: whole(2_000, 60_000),
})
export type EdgeConfig = z.infer<typeof config>
