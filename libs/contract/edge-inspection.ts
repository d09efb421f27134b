// What edges are asked about themselves, and what they answer: core NATS, at most once, for people who look.
import { z } from 'zod'
import { returnFinding, returnFindingsMax } from './direct-return.ts'
import { edgeId, fleetName, type FleetName } from './ids.ts'
import { frontend } from './net.ts'
import { ownershipMarks } from './resource.ts'

/** Something that was not as the edge had made it, and that the edge made good. */
export const edgeRepair = z.object({
  at: z.iso.datetime(),
  /** How many elements of its table were missing, wrong or too many. */
  elements: z.int().min(1),
  /** A sentence each for the first of them. */
  examples: z.array(z.string().max(200)).max(5),
})
export type EdgeRepair = z.infer<typeof edgeRepair>

/** A question to every edge of a fleet. */
export const edgeQuestion = z.object({ id: z.uuid() })

/** One part of one edge's answer. */
export const edgeAnswer = z.object({
  id: z.uuid(),
  fleet: fleetName,
  edge: edgeId,
  dataPlane: z.string().max(20),
  startedAt: z.iso.datetime(),
  /** `number` counts from 0. */
  part: z.object({ number: z.int().min(0), count: z.int().min(1) }),
  /** What the look itself found and made good; null when nothing differed. */
  repaired: edgeRepair.nullable(),
  /** Why it could not look, or what it found wrong and cannot make good. */
  problem: z.string().max(500).nullable(),
  /** Whether nodes can answer clients directly, as far as it was tried. */
  returns: z.array(returnFinding).max(returnFindingsMax).optional(),
  resources: z.array(
    z.object({
      marks: ownershipMarks,
      generation: z.int().min(0),
      hash: z.string(),
      state: z.string().max(20),
      problem: z.string().max(500).nullable(),
      frontends: z.array(frontend),
      /** The nodes that take new flows, with their weights. */
      targets: z.array(z.object({ node: z.string(), weight: z.number() })),
      /** Flows that are known now; null where the data plane does not count them. */
      flows: z.int().min(0).nullable(),
    }),
  ),
})
export type EdgeAnswer = z.infer<typeof edgeAnswer>

/** What an edge says every two seconds until it answers: whoever asked waits on. A look at a big table takes a while. */
export const edgeLooking = z.object({ id: z.uuid(), edge: edgeId, looking: z.literal(true) })
export type EdgeLooking = z.infer<typeof edgeLooking>

/** `weir.ask.<fleet>` */
export const edgeQuestionSubject = (fleet: FleetName): string => `weir.ask.${fleet}`

/** `weir.answer.<id of the question>`: each `edgeLooking` or a part of an `edgeAnswer`. */
export const edgeAnswerSubject = (id: string): string => `weir.answer.${id}`
