import { ownershipMarks, type OwnershipMarks } from '@weir/contract'
import { z } from 'zod'
import type { Step } from '../driver.ts'

const id = z.string().min(1).max(100)
const body = z.record(z.string(), z.unknown())
const position = { hash: z.string(), shape: z.string(), generation: z.int().min(1) }

/** What a step of this driver calls: data only, so that it can be shown, and made again. */
export const octaviaCall = z.discriminatedUnion('do', [
  /** Makes a load balancer with everything in it, unless one with these marks is there. */
  z.object({ do: z.literal('create'), marks: ownershipMarks, body }),
  /** Makes, changes or deletes a part of a load balancer. */
  z.object({
    do: z.literal('change'),
    balancer: id,
    method: z.enum(['POST', 'PUT', 'DELETE']),
    path: z.string(),
    body: body.optional(),
  }),
  /** Says in the tags what was carried out, and switches on; tags of others are read before, and stay. */
  z.object({ do: z.literal('mark'), balancer: id, marks: ownershipMarks, ...position }),
  /** Deletes a load balancer and all its parts, if it still carries these marks. */
  z.object({ do: z.literal('delete'), balancer: id, marks: ownershipMarks }),
  z.object({ do: z.literal('allocate'), marks: ownershipMarks, body }),
  z.object({ do: z.literal('attach'), floatingIp: id, marks: ownershipMarks, port: id }),
  z.object({ do: z.literal('free'), floatingIp: id, marks: ownershipMarks }),
])
export type OctaviaCall = z.infer<typeof octaviaCall>

export const stepOf = ({ tenant }: OwnershipMarks, title: string, call: OctaviaCall): Step => ({
  title,
  tenant,
  call,
})
