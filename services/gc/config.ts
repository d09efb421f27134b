import { settings } from '@weir/runtime'
import { z } from 'zod'

/** What gc reads from its environment. */
export const config = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  WEIR_INSTALLATION: settings.WEIR_INSTALLATION,
  WEIR_FLEET: settings.WEIR_FLEET,
  /** `observe` only reports; `apply` removes orphans. */
  WEIR_GC_MODE: z
    .enum(['observe', 'apply'], { error: 'expected observe or apply' })
    .default('apply'),
  WEIR_GC_INTERVAL_SECONDS: z.coerce.number().int().min(1).max(86_400).default(30),
  /** Seconds an orphan is left alone after it was first seen as one. */
  WEIR_GC_GRACE_SECONDS: z.coerce.number().int().min(0).max(86_400).default(60),
  /** Most orphans of one tenant removed in one cycle; a tenth of what it has, if that is more. */
  WEIR_GC_AT_MOST: z.coerce.number().int().min(1).max(10_000).default(20),
  WEIR_EDGE_SILENT_SECONDS: z.coerce.number().int().min(1).max(600).default(15),
  WEIR_EDGE_GONE_SECONDS: z.coerce.number().int().min(1).max(86_400).default(300),
})
