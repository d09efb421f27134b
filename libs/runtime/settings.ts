import { fleetName, installationId } from '@weir/contract'
import { z } from 'zod'

/** One URL, or several joined by commas. */
const url = (protocols: readonly string[], expected: string): z.ZodType<string> => {
  const error = `expected ${expected}`
  const fits = (text: string): boolean =>
    URL.canParse(text) && protocols.includes(new URL(text).protocol)
  return z.string({ error }).refine((text) => text.split(',').every(fits), { error })
}

/** The fields that several services share, by their variable's name; pick what the service needs. */
export const settings = {
  DATABASE_URL: url(['postgres:', 'postgresql:'], 'postgres://user:password@host:port/database'),
  NATS_URL: url(['nats:', 'tls:'], 'nats://host:port'),
  /** Which installation of weir this is; part of every external name. */
  WEIR_INSTALLATION: installationId.default(installationId.parse('local')),
  /** Which fleet of edges carries the load balancers. */
  WEIR_FLEET: fleetName.default(fleetName.parse('local')),
  /** What moves the packets on every edge of the fleet. */
  WEIR_FLEET_DATA_PLANE: z
    .enum(['userspace', 'kernel', 'envoy'], { error: 'expected userspace, kernel or envoy' })
    .default('userspace'),
  /** Seals cluster credentials at rest; parsed to its 32 bytes. */
  WEIR_MASTER_KEY: z
    .string({ error: 'expected base64 of 32 bytes' })
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
    .refine((key) => key.length === 32, { error: 'expected base64 of 32 bytes' }),
} as const

/** What `run` itself reads for every service. */
export const runtimeSettings = z.object({
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], {
      error: 'expected debug, info, warn or error',
    })
    .default('info'),
  HEALTH_HOST: z.string().default('127.0.0.1'),
  HEALTH_PORT: z.coerce
    .number({ error: 'expected a port number' })
    .int()
    .min(0)
    .max(65_535)
    .default(0),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:'], 'http://host:4318').optional(),
  WEIR_STOP_ON_STDIN_CLOSE: z.enum(['0', '1'], { error: 'expected 0 or 1' }).default('0'),
})
