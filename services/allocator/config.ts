import { settings } from '@weir/runtime'
import { z } from 'zod'

/** What the allocator reads from its environment. */
export const config = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  /** Services decided about at the same time. */
  ALLOCATOR_CONCURRENCY: z.coerce.number().int().min(1).max(256).default(32),
})
