// What an edge asks the others before it empties a set of targets, and what they answer: core NATS, at
// most once, between edges alone.
import { z } from 'zod'
import { edgeId, fleetName, resourceKey, type FleetName } from './ids.ts'

/** All nodes of these say no to `edge`: does anybody know better? */
export const edgeDoubt = z.object({
  id: z.uuid(),
  fleet: fleetName,
  edge: edgeId,
  resources: z
    .array(z.object({ key: resourceKey, epoch: z.int().min(1) }))
    .min(1)
    .max(50),
})
export type EdgeDoubt = z.infer<typeof edgeDoubt>

/** What another edge hears of them by its own probes; resources that it does not hold are left out. */
export const edgeWord = z.object({
  id: z.uuid(),
  edge: edgeId,
  resources: z.array(
    z.object({
      key: resourceKey,
      /** Healthy nodes, the first of them by name, and the weight that each tells; null where it tells none. */
      healthy: z
        .array(z.object({ node: z.string().max(253), weight: z.int().min(0).nullable() }))
        .max(32),
    }),
  ),
})
export type EdgeWord = z.infer<typeof edgeWord>

/** `weir.doubt.<fleet>` */
export const edgeDoubtSubject = (fleet: FleetName): string => `weir.doubt.${fleet}`

/** `weir.word.<id of the doubt>` */
export const edgeWordSubject = (id: string): string => `weir.word.${id}`
