import { z } from 'zod'

/** What an operator says about a further fleet of edges, for `driverAccount.settings`. */
export const fleetSettings = z.strictObject({
  /** What all its edges run, as their own `WEIR_FLEET_DATA_PLANE` says. */
  dataPlane: z.enum(['userspace', 'kernel', 'envoy']),
})
export type FleetSettings = z.infer<typeof fleetSettings>

/** Edges are reached by the platform's own bus. */
export const fleetCredentials = z.null({ error: 'a fleet of edges has none' })
