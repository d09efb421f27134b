import { cidr } from '@weir/contract'
import { settings } from '@weir/runtime'
import { z } from 'zod'

/** What the watcher reads from its environment. */
export const config = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  WEIR_MASTER_KEY: settings.WEIR_MASTER_KEY,
  /**
   * Special-purpose blocks, by commas, in which clusters' API servers may be: on one machine
   * `127.0.0.0/8`, in a company its own networks. Public addresses need no entry.
   */
  WEIR_CLUSTER_NETWORKS: z
    .string()
    .default('')
    .transform((text) => text.split(',').filter((entry) => entry.trim() !== ''))
    .pipe(z.array(cidr, { error: 'expected CIDRs by commas, such as 127.0.0.0/8,10.0.0.0/8' })),
  /** Writes at the same time to one cluster. */
  WATCHER_CONCURRENCY: z.coerce.number().int().min(1).max(256).default(32),
  /** Services brought up to their stories at the same time, over all clusters. */
  WATCHER_RECONCILES: z.coerce.number().int().min(1).max(1024).default(64),
})
