import { settings } from '@weir/runtime'
import { z } from 'zod'

const seconds = z.coerce.number().int().max(86_400)
const share = z.coerce.number().min(0).max(1)

/** What gc reads from its environment. Whether it may delete is no setting: people approve it in the log. */
export const config = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  WEIR_INSTALLATION: settings.WEIR_INSTALLATION,
  WEIR_FLEET: settings.WEIR_FLEET,
  WEIR_FLEET_DATA_PLANE: settings.WEIR_FLEET_DATA_PLANE,
  /** Opens the credentials of configured drivers; without it only the fleet of edges is looked after. */
  WEIR_MASTER_KEY: settings.WEIR_MASTER_KEY.optional(),
  /** `observe` reports only, whatever was approved. */
  WEIR_GC_MODE: z
    .enum(['as-approved', 'observe'], { error: 'expected as-approved or observe' })
    .default('as-approved'),
  WEIR_GC_INTERVAL_SECONDS: seconds.min(1).default(30),
  /** Seconds between two looks for rows and finalizers that lives left behind. */
  WEIR_GC_REMIND_SECONDS: seconds.min(1).default(300),
  /** Seconds that the reason for a resource must be gone before gc condemns it. */
  /** How long a Service's status must have been shown before a silent node tells something of its network. */
  WEIR_GC_RETURN_SECONDS: seconds.min(1).default(90),
  WEIR_GC_SETTLE_SECONDS: seconds.min(0).default(15),
  /** Seconds an orphan is left alone after it was condemned. */
  WEIR_GC_GRACE_SECONDS: seconds.min(0).default(60),
  /** Seconds apart, at least, of the two reads that confirm that an orphan is absent. */
  WEIR_GC_CONFIRM_SECONDS: seconds.min(0).default(10),
  /** Most orphans of one tenant deleted in one cycle, or this share of what it has, if more. */
  WEIR_GC_AT_MOST: z.coerce.number().int().min(1).max(10_000).default(20),
  WEIR_GC_AT_MOST_SHARE: share.default(0.1),
  /** More than so many due at once, and than this share: gc suspends itself. */
  WEIR_GC_BREAKER_AT_LEAST: z.coerce.number().int().min(1).max(100_000).default(20),
  WEIR_GC_BREAKER_SHARE: share.default(0.3),
  /** Deletes, and reads after them, that cleanup makes per second at one provider. */
  WEIR_GC_PER_SECOND: z.coerce.number().min(0.1).max(1000).default(10),
  WEIR_EDGE_SILENT_SECONDS: z.coerce.number().int().min(1).max(600).default(15),
  WEIR_EDGE_GONE_SECONDS: z.coerce.number().int().min(1).max(86_400).default(300),
})
