// Drivers: who makes load balancers, with which account.
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, bad, ok, print, show, table, tell, type Format } from '../output.ts'

const capabilities = z.looseObject({
  protocols: z.array(z.string()),
  ipFamilies: z.array(z.string()),
  addresses: z.string(),
  sourceRanges: z.boolean(),
  clientIpAffinity: z.boolean(),
  proxyProtocol: z.boolean(),
  weights: z.boolean(),
  preservesClientAddress: z.string(),
  maxFrontends: z.int(),
})
type Capabilities = z.infer<typeof capabilities>

const driver = z.looseObject({
  name: z.string(),
  kind: z.string(),
  tenant: z.string().nullable(),
  account: z.string().nullable(),
  removed: z.boolean(),
  capabilities: capabilities.nullable(),
  problem: z.string().nullable(),
})
const drivers = z.object({ items: z.array(driver) })

const checked = z.looseObject({
  name: z.string(),
  status: z.enum(['ready', 'refused', 'unreachable']),
  account: z.string().nullable(),
  found: z.string().nullable(),
  capabilities: capabilities.nullable(),
  problem: z.string().nullable(),
})

interface CreateFlags {
  readonly output: Format
  readonly kind: string
  readonly account: string
  readonly settings: string
  readonly credentials?: string
  /** Whose it is; every tenant may use it when the option was not given. */
  readonly tenant?: string
}

interface Flags {
  readonly output: Format
}

/** Makes or changes a driver; nothing is stored unless its credentials turn out to be the account's. */
export const driverCreate = async (
  client: ApiClient,
  name: string,
  flags: CreateFlags,
): Promise<void> => {
  const { kind, account, tenant } = flags
  const body = {
    name,
    kind,
    account,
    settings: readJson(flags.settings, 'settings'),
    credentials:
      flags.credentials === undefined ? null : readJson(flags.credentials, 'credentials'),
    ...(tenant === undefined ? {} : { tenant }),
  }
  const made = await client.send('POST', '/v1/drivers', body, driver)
  answer(flags.output, made, () =>
    ok(`driver ${name} makes load balancers in account ${account} (${kind})`),
  )
}

/** Every driver that the token may use, also removed ones that still have things to clean up. */
export const driverList = async (client: ApiClient, flags: Flags): Promise<void> => {
  const { items } = await client.get('/v1/drivers', drivers)
  show(flags.output, items, items, [
    { heading: 'NAME', cell: (each) => each.name },
    { heading: 'KIND', cell: (each) => each.kind },
    { heading: 'TENANT', cell: (each) => each.tenant ?? 'all' },
    { heading: 'ACCOUNT', cell: (each) => each.account ?? '-' },
    { heading: 'STATE', cell: (each) => stateOf(each) },
    { heading: 'CAPABILITIES', cell: (each) => inShort(each.capabilities) },
  ])
}

/** Probes one driver's credentials, or those of all; fails when one is not ready. */
export const driverCheck = async (
  client: ApiClient,
  name: string | undefined,
  flags: Flags,
): Promise<void> => {
  const found: z.infer<typeof checked>[] = []
  for (const each of name === undefined ? await checkable(client) : [name]) {
    const path = `/v1/drivers/${encodeURIComponent(each)}/check`
    found.push(await client.send('POST', path, undefined, checked))
  }
  answer(flags.output, found, () => {
    for (const each of found) tellChecked(each, name !== undefined)
  })
  const wrong = found.filter(({ status }) => status !== 'ready')
  if (wrong.length > 0) {
    throw new CommandFailed('failed', `${wrong.length} of ${found.length} drivers are not ready`)
  }
}

/** Takes a driver away: it makes nothing new, and what it made is still cleaned up. */
export const driverRemove = async (
  client: ApiClient,
  name: string,
  flags: Flags,
): Promise<void> => {
  await client.send('DELETE', `/v1/drivers/${encodeURIComponent(name)}`, undefined, z.unknown())
  answer(flags.output, { name, removed: true }, () => {
    ok(`driver ${name} makes nothing new; what it made is still looked after and removed`)
  })
}

/** Drivers whose account the token sees are its own to check. */
const checkable = async (client: ApiClient): Promise<readonly string[]> => {
  const { items } = await client.get('/v1/drivers', drivers)
  return items
    .filter(({ account, removed }) => account !== null && !removed)
    .map((each) => each.name)
}

const tellChecked = (each: z.infer<typeof checked>, whole: boolean): void => {
  if (each.status !== 'ready') return bad(`${each.name}: ${each.status}: ${each.problem ?? ''}`)
  ok(`${each.name}: ${each.found ?? 'ready'}, account ${each.account ?? '-'}`)
  if (each.capabilities === null) return
  if (!whole) return tell(`    ${inShort(each.capabilities)}`)
  print(
    table(Object.entries(each.capabilities), [
      { heading: 'CAPABILITY', cell: ([name]) => name },
      { heading: 'VALUE', cell: ([, value]) => textOf(value) },
    ]),
  )
}

const textOf = (value: unknown): string => {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value)
}

const stateOf = ({ removed, problem }: z.infer<typeof driver>): string => {
  if (problem !== null) return `unusable: ${problem}`
  return removed ? 'removed' : 'open'
}

/** `TCP UDP, IPv4, own addresses, source ranges, weights`: what a user chooses a driver by. */
const inShort = (can: Capabilities | null): string => {
  if (can === null) return '-'
  const wishes = [
    [can.sourceRanges, 'source ranges'],
    [can.clientIpAffinity, 'client affinity'],
    [can.proxyProtocol, 'PROXY protocol'],
    [can.weights, 'weights'],
    [can.preservesClientAddress !== 'never', 'client addresses'],
  ] as const
  return [
    can.protocols.join(' '),
    can.ipFamilies.join(' '),
    can.addresses === 'pool' ? 'pool addresses' : 'own addresses',
    ...wishes.filter(([has]) => has).map(([, name]) => name),
  ].join(', ')
}

/** A JSON object from a file. What is wrong is said without its content: it may be a secret. */
const readJson = (path: string, what: string): unknown => {
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    const hint = `a file with one JSON object, as --help of "weir driver create" shows`
    throw new CommandFailed('usage', `cannot read ${what} from ${path}${code}`, hint)
  }
}
