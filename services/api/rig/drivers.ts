// Drivers in memory for the API's tests: accounts whose credentials are `{ secret: 'of-ACCOUNT' }`.
import {
  createDriverRegistry,
  parseFields,
  type DriverKind,
  type DriverRegistry,
} from '@weir/backbone/drivers'
import { installationId } from '@weir/contract'
import { createMemoryDriver, fleetCredentials, fleetSettings, type Probe } from '@weir/drivers'
import type { Store } from '@weir/eventlog'
import { OperatingError, silentLogger, systemClock, systemIds } from '@weir/kernel'
import { z } from 'zod'

const settings = z.strictObject({ region: z.string(), endpoint: z.string().optional() })
const credentials = z.strictObject({ secret: z.string() })
const installation = installationId.parse('test')

const kind: DriverKind = {
  open: (account, secrets, { installation: mine }) => {
    parseFields(settings, account.settings, 'settings')
    const { secret } = parseFields(credentials, secrets, 'credentials')
    const driver = createMemoryDriver({ name: account.name, installation: mine })
    return { ...driver, probe: () => probe(secret, driver.capabilities) }
  },
}

const fleet: DriverKind = {
  open: (account, secrets, { installation: mine }) => {
    parseFields(fleetSettings, account.settings, 'settings')
    parseFields(fleetCredentials, secrets, 'credentials')
    const driver = createMemoryDriver({ name: account.name, installation: mine })
    return { ...driver, probe: () => probe(`of-${account.account}`, driver.capabilities) }
  },
}

const probe = async (
  secret: string,
  capabilities: Extract<Probe, { status: 'ready' }>['capabilities'],
): Promise<Probe> => {
  await Promise.resolve()
  if (secret === 'of-nobody-there') throw new OperatingError('no answer from the provider')
  const account = /^of-(.*)$/.exec(secret)?.[1]
  if (account === undefined) return { status: 'refused', problem: 'the provider says 401' }
  return { status: 'ready', account, found: 'Memory v1', capabilities }
}

/** The registry of a platform whose own driver is in memory too. */
export const memoryDrivers = (store: Store, masterKey: Uint8Array): DriverRegistry =>
  createDriverRegistry({
    store,
    own: [{ driver: createMemoryDriver({ name: 'edge', installation }), account: 'local' }],
    kinds: { octavia: async () => kind, 'aws-nlb': async () => kind, fleet: async () => fleet },
    masterKey,
    installation,
    clock: systemClock,
    ids: systemIds,
    logger: silentLogger,
  })
