import { settings } from '@weir/runtime'
import { z } from 'zod'

/** What the provisioner reads from its environment. */
export const config = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  WEIR_INSTALLATION: settings.WEIR_INSTALLATION,
  WEIR_FLEET: settings.WEIR_FLEET,
  WEIR_FLEET_DATA_PLANE: settings.WEIR_FLEET_DATA_PLANE,
  /** Opens the credentials of configured drivers; without it only the fleet of edges is driven. */
  WEIR_MASTER_KEY: settings.WEIR_MASTER_KEY.optional(),
  /** Resources brought up at the same time. */
  PROVISIONER_CONCURRENCY: z.coerce.number().int().min(1).max(256).default(32),
  /** Seconds between two looks at a healthy resource for drift. */
  PROVISIONER_LOOK_SECONDS: z.coerce.number().int().min(1).max(3600).default(30),
  /** Seconds without a word after which an edge is silent, and after which nobody waits for it. */
  WEIR_EDGE_SILENT_SECONDS: z.coerce.number().int().min(1).max(600).default(15),
  WEIR_EDGE_GONE_SECONDS: z.coerce.number().int().min(1).max(86_400).default(300),
  /** A place at which the process kills itself, for tests: `provisioner.after-execute`, or `...:2`. */
  WEIR_FAULT_POINT: z.string().optional(),
  /** `SIGSTOP`: it stands still there until somebody says SIGCONT, and nobody starts another. */
  WEIR_FAULT_SIGNAL: z.enum(['SIGKILL', 'SIGSTOP']).default('SIGKILL'),
  /** Without `1` a fault point is refused. */
  WEIR_ALLOW_FAULT_POINTS: z.string().optional(),
})
