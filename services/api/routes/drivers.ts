// Provider accounts that load balancers can be made in. Credentials come in and never go out: they are
// probed, sealed and kept in the vault.
import { createDriverCredentials, type KnownDriver } from '@weir/backbone/drivers'
import {
  driverAccount,
  driverName,
  event,
  platformTenant,
  tenantId,
  type DomainEvent,
  type DriverAccount,
  type TenantId,
} from '@weir/contract'
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { mayChange, maySee, type Caller } from '../auth.ts'
import { notFound, Problem } from '../problem.ts'
import type { RouteContext } from '../server.ts'
import { checkDriver, checked, requireAccount } from './driver-check.ts'
import { callerFor, recordAct, type Routes } from './route.ts'

const capabilities = z.looseObject({
  protocols: z.array(z.string()),
  ipFamilies: z.array(z.string()),
  addresses: z.enum(['pool', 'provider']),
})

const driverView = z.object({
  name: driverName,
  kind: z.enum(['edge', ...driverAccount.shape.kind.options]),
  tenant: tenantId.nullable(),
  /** Null, as the settings, for a tenant that may use the driver and does not own it. */
  account: z.string().nullable(),
  settings: driverAccount.shape.settings.nullable(),
  /** Makes nothing new; what it made is still observed and removed. */
  removed: z.boolean(),
  capabilities: capabilities.nullable(),
  /** Why it cannot be used now, for people. */
  problem: z.string().nullable(),
})

const driverBody = driverAccount.omit({ tenant: true }).extend({
  /** Whose it is; a tenant's own token need not say it, and the operator may leave it to all. */
  tenant: tenantId.nullable().optional(),
  /** As the kind of driver has them; null where its provider asks for none. */
  credentials: z.record(z.string().max(100), z.unknown()).nullable(),
})

const named = z.object({ name: driverName })

/** Drivers: the operator's for all tenants, and tenants' own. */
export const driverRoutes = (app: Routes, context: RouteContext): void => {
  const { drivers, store, masterKey, tokens } = context
  const credentials = createDriverCredentials(store.vault, masterKey)
  const record = async (caller: Caller, request: FastifyRequest, act: Recorded): Promise<void> => {
    const { versionOf } = await context.views.platform()
    const version = versionOf(`driver-${act.name}`)
    const about = { caller, tenant: platformTenant, category: 'driver', version } as const
    await recordAct(context, { ...about, id: act.name, event: act.event, requestId: request.id })
    await drivers.refresh()
  }
  const find = async (request: FastifyRequest, name: string): Promise<Found> => {
    const caller = await tokens.callerOf(request)
    await drivers.refresh()
    const driver = drivers.known.get(driverName.parse(name))
    if (driver === undefined || !seesDriver(caller, driver)) throw notFound(`driver ${name}`)
    mayChange(caller, caller.tenant)
    if (!ownsDriver(caller, driver)) throw operatorsOwn(name)
    return { caller, driver }
  }

  app.get(
    '/drivers',
    { schema: { response: { 200: z.object({ items: z.array(driverView) }) } } },
    async (request) => {
      const caller = await tokens.callerOf(request)
      await drivers.refresh()
      const mine = [...drivers.known.values()].filter((each) => seesDriver(caller, each))
      return { items: mine.map((each) => viewFor(caller, each)) }
    },
  )

  app.post(
    '/drivers',
    { schema: { body: driverBody, response: { 200: driverView } } },
    async (request) => {
      const { credentials: secret, ...rest } = request.body
      const { caller, tenant } = await ownerFor(context, request, rest.tenant)
      const wanted: DriverAccount = { ...rest, tenant }
      if (caller.tenant !== platformTenant) refuseOperatorsOwn(wanted)
      await drivers.refresh()
      refuseOther(caller, wanted, drivers.known.get(wanted.name))
      refuseSharedFleet(wanted, [...drivers.known.values()])
      await requireAccount(await drivers.tryOut(wanted, secret), wanted.account)
      // Credentials first: whoever hears of the driver finds them.
      await credentials.put(wanted, secret)
      const configured = event('DriverConfigured', { driver: wanted })
      await record(caller, request, { name: wanted.name, event: configured })
      const made = drivers.known.get(wanted.name)
      if (made === undefined) throw notFound(`driver ${wanted.name}`)
      return viewFor(caller, made)
    },
  )

  app.post(
    '/drivers/:name/check',
    { schema: { params: named, response: { 200: checked } } },
    async (request) => {
      const { driver } = await find(request, request.params.name)
      return checkDriver(driver, drivers.drivers.get(driver.name))
    },
  )

  app.delete(
    '/drivers/:name',
    { schema: { params: named, response: { 204: z.null() } } },
    async (request, reply) => {
      const { caller, driver } = await find(request, request.params.name)
      const { name } = driver
      if (driver.kind === 'edge') throw reserved(name)
      if (driver.removed) throw notFound(`driver ${name}`)
      await record(caller, request, { name, event: event('DriverRemoved', { name }) })
      return reply.code(204).send(null)
    },
  )
}

interface Recorded {
  readonly name: string
  readonly event: DomainEvent
}

interface Found {
  readonly caller: Caller
  readonly driver: KnownDriver
}

/**
 * Whether clusters of `tenant` may have `name` make their load balancers.
 * @throws Problem 422 for a driver that is not there, was removed, or is another tenant's: all alike
 */
export const requireUsable = async (
  { drivers }: RouteContext,
  tenant: TenantId,
  name: DriverAccount['name'],
): Promise<void> => {
  await drivers.refresh()
  const found = drivers.known.get(name)
  const usable = found && !found.removed && (found.tenant === null || found.tenant === tenant)
  if (usable) return
  const detail = `no driver "${name}" is open to tenant ${tenant}`
  throw new Problem(422, 'no-such-driver', detail, 'weir driver list shows those that are')
}

const seesDriver = (caller: Caller, { tenant }: KnownDriver): boolean =>
  caller.tenant === platformTenant || tenant === null || tenant === caller.tenant

const ownsDriver = (caller: Caller, { tenant }: KnownDriver): boolean =>
  caller.tenant === platformTenant || tenant === caller.tenant

const viewFor = (caller: Caller, driver: KnownDriver): z.infer<typeof driverView> => {
  const shown = { ...driver, capabilities: driver.capabilities && { ...driver.capabilities } }
  if (ownsDriver(caller, driver)) return shown as z.infer<typeof driverView>
  const unavailable = driver.problem === null ? null : 'it cannot be used now'
  const hidden = { ...shown, account: null, settings: null, problem: unavailable }
  return hidden as z.infer<typeof driverView>
}

/** Who makes a driver, and for whom. @throws Problem 403 or 404 */
const ownerFor = async (
  context: RouteContext,
  request: FastifyRequest,
  wanted: TenantId | null | undefined,
): Promise<{ readonly caller: Caller; readonly tenant: TenantId | null }> => {
  const caller = await context.tokens.callerOf(request)
  mayChange(caller, caller.tenant)
  if (caller.tenant !== platformTenant) {
    if (wanted === null) throw operatorsOwn('of all tenants')
    maySee(caller, wanted ?? caller.tenant)
    return { caller, tenant: caller.tenant }
  }
  if (wanted === platformTenant) throw new Problem(409, 'reserved', 'the platform has no clusters')
  if (wanted !== null && wanted !== undefined) await callerFor(context, request, { change: wanted })
  return { caller, tenant: wanted ?? null }
}

const operatorsOwn = (name: string): Problem =>
  new Problem(403, 'operator-only', `the driver ${name} is the platform's`, 'ask who runs it')

const reserved = (name: string): Problem =>
  new Problem(409, 'reserved', `"${name}" is the platform's own driver`)

/** A name stays with its account for ever: what was made there must be found there. */
const refuseOther = (caller: Caller, wanted: DriverAccount, known?: KnownDriver): void => {
  if (known === undefined) return
  if (known.kind === 'edge') throw reserved(known.name)
  const hint = 'give the new one another name'
  if (!ownsDriver(caller, known))
    throw new Problem(409, 'name-taken', `another driver is called ${known.name}`, hint)
  const fields = (['kind', 'tenant', 'account'] as const).filter(
    (field) => known[field] !== wanted[field],
  )
  if (fields.length === 0) return
  const detail = `driver ${known.name} has another ${fields.join(', ')}, which never changes`
  throw new Problem(409, 'other-account', detail, hint)
}

/** Two drivers of one fleet would take each other's load balancers for strangers'. */
const refuseSharedFleet = (wanted: DriverAccount, known: readonly KnownDriver[]): void => {
  if (wanted.kind !== 'fleet') return
  const other = known.find(
    ({ name, kind, account }) =>
      name !== wanted.name && (kind === 'fleet' || kind === 'edge') && account === wanted.account,
  )
  if (other === undefined) return
  const detail = `fleet ${wanted.account} is the driver "${other.name}" already`
  throw new Problem(409, 'fleet-taken', detail, 'a driver has a fleet of its own')
}

/**
 * Fleets are machines of the platform, on its own bus. And its processes call the addresses of settings from
 * inside its network, so the operator names them.
 */
const refuseOperatorsOwn = ({ name, kind, settings }: DriverAccount): void => {
  if (kind === 'fleet') throw operatorsOwn(name)
  const found = Object.entries(settings).find(([, value]) => JSON.stringify(value).includes('://'))
  if (found === undefined) return
  const detail = `settings.${found[0]} names an address to call, which only the operator may do`
  throw new Problem(403, 'operator-only', detail, 'ask whoever runs the platform')
}
