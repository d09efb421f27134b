import { settings } from '@weir/runtime'
import { z } from 'zod'

/** What the api reads from its environment. */
export const config = z.object({
  DATABASE_URL: settings.DATABASE_URL,
  NATS_URL: settings.NATS_URL,
  WEIR_INSTALLATION: settings.WEIR_INSTALLATION,
  WEIR_FLEET: settings.WEIR_FLEET,
  WEIR_FLEET_DATA_PLANE: settings.WEIR_FLEET_DATA_PLANE,
  WEIR_MASTER_KEY: settings.WEIR_MASTER_KEY,
  /** The operator's token: whoever has it is the platform. */
  WEIR_ADMIN_TOKEN: z.string().min(24, { error: 'expected at least 24 characters' }),
  /** The same as gc's: the report tells when an orphan is due. */
  WEIR_GC_GRACE_SECONDS: z.coerce.number().int().min(0).max(86_400).default(60),
  WEIR_API_HOST: z.string().default('127.0.0.1'),
  WEIR_API_PORT: z.coerce.number().int().min(0).max(65_535).default(7080),
})
