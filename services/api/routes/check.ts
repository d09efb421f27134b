import { edgeHeartbeat } from '@weir/contract'
import { explainError } from '@weir/kernel'
import { z } from 'zod'
import type { RouteContext } from '../server.ts'
import { operatorFor, type Routes } from './route.ts'

/** The consumers whose lag and stuck work an operator wants to know. */
const consumers = ['allocator', 'provisioner', 'relay'] as const
const freshMs = 20_000
const stuckAfter = 3
/** Events a healthy consumer may be behind for a moment. */
const lagMax = 100

const outcome = z.object({
  part: z.string(),
  level: z.enum(['ok', 'warning', 'failed']),
  detail: z.string(),
  hint: z.string().nullable(),
})
type Outcome = z.infer<typeof outcome>

const fine = (part: string, detail: string): Outcome => ({ part, level: 'ok', detail, hint: null })
const failed = (part: string, detail: string, hint: string): Outcome => ({
  part,
  level: 'failed',
  detail,
  hint,
})

/** The platform part by part, each with what to do when it is not well; the operator's alone. */
export const checkRoutes = (app: Routes, context: RouteContext): void => {
  app.get(
    '/check',
    { schema: { response: { 200: z.object({ items: z.array(outcome) }) } } },
    async (request) => {
      await operatorFor(context, request, 'see')
      const checks = [checkLog, checkPools, checkEdges, checkConsumers, checkGarbage]
      const items = await Promise.all(checks.map((check) => guarded(check, context)))
      return { items: items.flat() }
    },
  )
}

type Check = (context: RouteContext) => Promise<Outcome[]>

const guarded = async (check: Check, context: RouteContext): Promise<Outcome[]> => {
  try {
    return await check(context)
  } catch (error) {
    return [
      failed(
        check.name.replace('check', '').toLowerCase(),
        explainError(error),
        'see the logs of the api',
      ),
    ]
  }
}

const checkLog: Check = async ({ store }) => {
  await store.ping()
  const tenants = await store.log.tenants()
  return [fine('log', `answers; ${tenants.length} tenants have events`)]
}

const checkPools: Check = async ({ views }) => {
  const { pools } = await views.platform()
  if (pools.size > 0) return [fine('pools', `${pools.size} open`)]
  return [
    failed(
      'pools',
      'there is none, so no Service can get an address',
      'weir pool create NAME --range CIDR',
    ),
  ]
}

const checkEdges: Check = async ({ fleet, clock }) => {
  const edges = z.array(edgeHeartbeat).parse(await fleet.edges())
  const now = clock.now()
  const live = edges.filter((edge) => now - Date.parse(edge.at) < freshMs)
  if (live.length === 0) {
    return [
      failed(
        'edges',
        'no edge was heard of lately, so nothing new is served',
        'start an edge; see its log',
      ),
    ]
  }
  const silent = edges.filter((edge) => !live.includes(edge))
  const late = silent.map((edge): Outcome => ({
    part: 'edges',
    level: 'warning',
    detail: `${edge.edge} was last heard of at ${edge.at}`,
    hint: 'start it again, or leave it: it goes on forwarding what it knows',
  }))
  return [fine('edges', live.map((edge) => `${edge.edge} (${edge.dataPlane})`).join(', ')), ...late]
}

const checkConsumers: Check = async ({ store }) => {
  const outcomes: Outcome[] = []
  for (const consumer of consumers) {
    const lag = await store.work.lagging(consumer)
    const behind = lag.reduce((sum, each) => sum + each.head - each.cursor, 0)
    const stuck = await store.work.stuck(consumer, stuckAfter)
    const worst = stuck[0]
    if (behind > lagMax) {
      outcomes.push(
        failed(consumer, `${behind} events behind`, `is ${consumer} running? see its log`),
      )
    } else if (worst) {
      const detail = `${stuck.length} keys fail, such as ${worst.key}: ${worst.problem}`
      outcomes.push({
        part: consumer,
        level: 'warning',
        detail,
        hint: `weir events all | grep ${worst.key}`,
      })
    } else {
      outcomes.push(fine(consumer, 'up to date'))
    }
  }
  return outcomes
}

const cleanup = z.object({
  mode: z.enum(['observe', 'apply']),
  findings: z.array(z.looseObject({ kind: z.string() })),
  held: z
    .array(z.object({ driver: z.string().nullable(), name: z.string(), why: z.string() }))
    .default([]),
})
type Cleanup = z.infer<typeof cleanup>

/** An account may be full of what others made: that is no fault of the platform. */
const notOurs: readonly string[] = ['foreign', 'unmarked']

const checkGarbage: Check = async ({ fleet }) => {
  const report = cleanup.parse(await fleet.report())
  return [garbageOf(report), ...report.held.flatMap(heldBack)]
}

const garbageOf = ({ mode, findings }: Cleanup): Outcome => {
  const ours = findings.filter(({ kind }) => !notOurs.includes(kind))
  const kept = mode === 'observe' ? '; cleanup only observes' : ''
  if (ours.length === 0) return fine('gc', `nothing exists without a reason${kept}`)
  const detail = `${ours.length} resources without a reason${kept}`
  const hint = mode === 'observe' ? 'weir gc report, then weir gc approve' : 'weir gc report'
  return { part: 'gc', level: 'warning', detail, hint }
}

/** What keeps resources that may have no reason any more; that cleanup only observes is told above. */
const heldBack = ({ driver, name, why }: Cleanup['held'][number]): Outcome[] => {
  if (name === 'observing') return []
  const detail = `${driver === null ? '' : `driver ${driver}: `}${name}: ${why}`
  return [{ part: 'gc', level: 'warning', detail, hint: 'weir gc report' }]
}
