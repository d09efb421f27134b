import { ownershipMarks, platformTenant, type InstallationId } from '@weir/contract'
import { OperatingError, type Clock, type Logger } from '@weir/kernel'
import type { Dispatcher } from 'undici'
import { createReadGate, type Budget, type Rate } from '../budget.ts'
import type { Capabilities, Driver, Outcome } from '../driver.ts'
import { createReads, type Reads } from './api.ts'
import { execute, stillGoesOn, type Hands } from './execute.ts'
import { octaviaCapabilities } from './features.ts'
import { createDispatcher, createSend } from './http.ts'
import { listPage, release } from './inventory.ts'
import { AccessRefused, createKeystone, type Keystone } from './keystone.ts'
import { observe, type View } from './observe.ts'
import { plan } from './plan.ts'
import { findOut, isSameId, probe } from './probe.ts'
import type { OctaviaCredentials, OctaviaSettings } from './settings.ts'

export interface OctaviaOptions {
  /** The driver's name in this installation; projects differ by it. */
  readonly name: string
  readonly installation: InstallationId
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: OctaviaSettings
  readonly credentials: OctaviaCredentials
  /** The project's rate, shared with every other driver of the project; see `octaviaRates`. */
  readonly budget: Budget
  /** Default: connections of the driver's own, with bounds. */
  readonly dispatcher?: Dispatcher
  /** How long a load balancer in ERROR rests before it is replaced, ms; default one minute. */
  readonly errorRestMs?: number
}

/**
 * What one project asks of an Octavia. It has no rates of its own, but each of its workers answers one
 * call at a time, so this leaves room for the other projects.
 */
export const octaviaRates: { readonly read: Rate; readonly write: Rate } = {
  read: { perSecond: 40, burst: 400 },
  write: { perSecond: 5, burst: 50 },
}

const defaultErrorRestMs = 60_000
/** An Octavia may be upgraded under us. */
const featuresMs = 600_000

/**
 * Drives load balancers of one OpenStack project: per Service one load balancer with a listener and a
 * pool per port, and a floating IP where settings name a network for them.
 */
export const createOctaviaDriver = (options: OctaviaOptions): Driver<View> => {
  const { name, installation, settings, clock, budget } = options
  const declared = octaviaCapabilities(settings)
  const dispatcher = options.dispatcher ?? createDispatcher(settings.caCertificate)
  const keystone = ownProjectOnly(
    createKeystone({ ...options, send: createSend(dispatcher) }),
    settings,
  )
  const readsFor = (tenant: string, begun = false): Reads =>
    createReads(keystone, { budget, pass: createReadGate(budget, tenant, begun) })
  const capabilitiesNow = rememberFor(featuresMs, clock, async (): Promise<Capabilities> => {
    const found = await findOut(readsFor(platformTenant), declared)
    if (found.status === 'usable') return found.capabilities
    throw new OperatingError(found.problem, { retry: { afterMs: 60_000 } })
  })
  const handsFor = (tenant: string): Hands => ({
    keystone,
    budget,
    clock,
    installation,
    reads: readsFor(tenant, true),
    logger: options.logger,
  })
  const rules = {
    installation,
    settings,
    errorRestMs: options.errorRestMs ?? defaultErrorRestMs,
  }
  return {
    name,
    capabilities: declared,
    probe: () => probe(readsFor(platformTenant), settings, declared),
    observe: async (given) => {
      const marks = ownershipMarks.parse(given)
      if (marks.installation !== installation) {
        return {
          status: 'unknown',
          problem: `${marks.key} is of installation ${marks.installation}`,
        }
      }
      const capabilities = await capabilitiesNow()
      const reads = readsFor(marks.tenant)
      return observe({ reads, settings, capabilities, name, now: clock.now() }, marks)
    },
    plan: (order, seen) => plan(rules, order, seen),
    execute: (step, begun = false) => execute(handsFor(step.tenant), step, begun),
    poll: async (token) => poll(readsFor(platformTenant), token, clock.now()),
    inventory: (cursor) => listPage(readsFor(platformTenant), settings, cursor),
    release: (item) => release(handsFor(item.marks.tenant), item),
    onChange: () => undefined,
  }
}

/** A token is the id of the load balancer that the cloud works on. */
const poll = async (reads: Reads, token: string, now: number): Promise<Outcome> => {
  const there = await reads.balancer(token)
  return there?.provisioning_status.startsWith('PENDING') === true
    ? stillGoesOn(there, now)
    : { status: 'done' }
}

/** Credentials of another project must not make or delete anything, and lists of it prove nothing. */
const ownProjectOnly = (keystone: Keystone, { projectId }: OctaviaSettings): Keystone => ({
  access: () => keystone.access(),
  send: async (make) =>
    keystone.send((access) => {
      if (isSameId(access.project, projectId)) return make(access)
      throw new AccessRefused(
        `the credentials belong to project ${access.project}, not to ${projectId}`,
      )
    }),
})

const rememberFor = <T>(
  forMs: number,
  clock: Pick<Clock, 'now'>,
  find: () => Promise<T>,
): (() => Promise<T>) => {
  let known: { readonly at: number; readonly value: T } | undefined
  return async () => {
    const now = clock.now()
    if (known === undefined || now - known.at > forMs) known = { at: now, value: await find() }
    return known.value
  }
}
