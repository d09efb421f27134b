// Events of the streams `status-<serviceUid>`, written by the watcher: what it wrote into the cluster.
import { z } from 'zod'
import { ingress } from './resource.ts'

export const statusEvents = {
  /** The API server acknowledged our finalizers; only now may anything be made for the Service. */
  FinalizerAdded: z.object({ resourceVersion: z.string() }),

  /** The Service's status shows the address. Emitted by the watcher after the API server's answer. */
  StatusPublished: z.object({
    ingress: z.array(ingress),
    /** The resource's epoch and generation that this status tells of. */
    epoch: z.int().min(1),
    generation: z.int().min(1),
  }),

  /** The reason annotation and condition tell the user why there is no address. Emitted by the watcher. */
  ReasonPublished: z.object({ reason: z.string(), message: z.string() }),

  /**
   * Status is cleared and our finalizers are gone, or the object was already. Emitted by the watcher;
   * the allocator then lets the addresses go.
   */
  FinalizerRemoved: z.object({ objectGone: z.boolean() }),
} as const
