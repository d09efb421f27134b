// The registry on the real log and bus, as one process sees what another configures.
import {
  driverAccount,
  driverName,
  event,
  installationId,
  platformTenant,
  streamOf,
  type DriverAccount,
} from '@weir/contract'
import { createMemoryDriver, type ProviderChange } from '@weir/drivers'
import { openStore, type Store } from '@weir/eventlog'
import { silentLogger, systemClock, systemIds, type Logger } from '@weir/kernel'
import { eventually, testDatabase, type TestDatabase } from '@weir/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createDriverCredentials } from './driver-credentials.ts'
import { parseFields, type DriverKind } from './driver-kinds.ts'
import { createDriverRegistry, type DriverRegistry } from './driver-registry.ts'

const masterKey = new Uint8Array(32).fill(9)
const installation = installationId.parse('test')
const credentials = z.strictObject({ secret: z.string() })

let database: TestDatabase
let store: Store
let stop: AbortController
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  stop = new AbortController()
  store = await openStore({
    url: database.url,
    application: 'test',
    logger: silentLogger,
    clock: systemClock,
    ids: systemIds,
  })
})
afterEach(async () => {
  stop.abort()
  await store.close()
})

const names = { next: 0 }
const accountOf = (over: Partial<z.input<typeof driverAccount>> = {}): DriverAccount => {
  names.next += 1
  const fresh = {
    name: `cloud-${names.next}`,
    kind: 'octavia',
    tenant: null,
    account: 'a',
  } as const
  return driverAccount.parse({ settings: {}, ...fresh, ...over })
}
const configure = async (account: DriverAccount, secret: unknown): Promise<void> => {
  await createDriverCredentials(store.vault, masterKey).put(account, secret)
  await say(account, event('DriverConfigured', { driver: account }))
}
const say = async ({ name }: DriverAccount, told: ReturnType<typeof event>): Promise<void> => {
  const stream = streamOf('driver', name)
  const before = (await store.log.story(platformTenant, name)).length
  await store.log.append({
    tenant: platformTenant,
    commandId: systemIds.uuid(),
    events: [{ stream, expectedVersion: before, event: told }],
    actor: 'test',
    correlationId: name,
    causationId: 'test',
  })
}

/** A registry, and every driver that it opened, newest last, with the secret each was given. */
const open = (over: { key?: Uint8Array | null; logger?: Logger } = {}) => {
  const opened: { name: string; secret: string; tell: Set<(change: ProviderChange) => void> }[] = []
  const kind: DriverKind = {
    open: (account, secrets) => {
      const { secret } = parseFields(credentials, secrets, 'credentials')
      const driver = createMemoryDriver({ name: account.name, installation })
      const tell = new Set<(change: ProviderChange) => void>()
      opened.push({ name: account.name, secret, tell })
      return {
        ...driver,
        onChange: (handle, signal) => {
          tell.add(handle)
          signal.addEventListener('abort', () => tell.delete(handle))
        },
      }
    },
  }
  const key = over.key === undefined ? masterKey : (over.key ?? undefined)
  const registry = createDriverRegistry({
    store,
    own: [{ driver: createMemoryDriver({ name: 'edge', installation }), account: 'local' }],
    kinds: { octavia: async () => kind, 'aws-nlb': async () => kind, fleet: async () => kind },
    masterKey: key,
    installation,
    clock: systemClock,
    ids: systemIds,
    logger: over.logger ?? silentLogger,
  })
  return { registry, opened }
}
const known = (registry: DriverRegistry, { name }: DriverAccount) =>
  registry.known.get(driverName.parse(name))

test('what is configured while it runs is there, beside our own; with new settings it is another', async () => {
  const { registry, opened } = open()
  const running = registry.run(stop.signal)
  const [one, two] = [accountOf(), accountOf({ kind: 'aws-nlb' })]
  await configure(one, { secret: 's1' })
  await configure(two, { secret: 's2' })
  await eventually(() => registry.drivers.has(one.name) && registry.drivers.has(two.name))
  expect(registry.drivers.has(driverName.parse('edge'))).toBe(true)
  const first = registry.drivers.get(one.name)
  await configure(one, { secret: 's3' })
  await eventually(() => registry.drivers.get(one.name) !== first)
  const secrets = opened.filter(({ name }) => name === one.name).map(({ secret }) => secret)
  expect(secrets).toEqual(['s1', 's3'])
  stop.abort()
  await running
})

test('a removed driver is still there to observe and remove, after a restart too', async () => {
  const account = accountOf()
  await configure(account, { secret: 's' })
  await say(account, event('DriverRemoved', { name: account.name }))
  const { registry } = open()
  await registry.refresh()
  expect(known(registry, account)).toMatchObject({ removed: true, problem: null })
  expect(registry.drivers.has(account.name)).toBe(true)
  await configure(account, { secret: 's' })
  await registry.refresh()
  expect(known(registry, account)).toMatchObject({ removed: false })
})

test('one that cannot be opened says why, and takes none of the others with it', async () => {
  const [bad, good] = [accountOf(), accountOf()]
  await configure(bad, { token: 'canary-1' })
  await configure(good, { secret: 's' })
  const { registry } = open()
  await registry.refresh()
  expect(known(registry, bad)?.problem).toContain('credentials.secret')
  expect(registry.drivers.has(bad.name)).toBe(false)
  expect(registry.drivers.has(good.name)).toBe(true)
})

test('credentials of another account, owner or key do not open, and none does without a key', async () => {
  const account = accountOf()
  await configure(account, { secret: 's' })
  const vault = createDriverCredentials(store.vault, masterKey)
  await expect(vault.get({ ...account, account: 'b' })).rejects.toThrow('sealed for another driver')
  const stranger = driverAccount.parse({ ...account, tenant: 'evil' })
  await expect(vault.get(stranger)).rejects.toThrow('sealed for another tenant')
  for (const [key, why] of [
    [new Uint8Array(32), 'WEIR_MASTER_KEY the one'],
    [null, 'need WEIR_MASTER_KEY'],
  ] as const) {
    const { registry } = open({ key })
    await registry.refresh()
    expect(known(registry, account)?.problem).toContain(why)
    expect(registry.drivers.has(driverName.parse('edge'))).toBe(true)
  }
})

test('who listens hears drivers of later too, and none that was replaced', async () => {
  const { registry, opened } = open()
  const account = accountOf()
  const heard: string[] = []
  registry.onChange((change, name) => heard.push(`${name} ${change.service}`), stop.signal)
  await configure(account, { secret: 's1' })
  await registry.refresh()
  await configure(account, { secret: 's2' })
  await registry.refresh()
  const mine = opened.filter(({ name }) => name === account.name)
  expect(mine).toHaveLength(2)
  for (const [at, { tell }] of mine.entries()) {
    for (const handle of tell) handle({ tenant: 'acme', service: `change-${at}` })
  }
  expect(heard).toEqual([`${account.name} change-1`])
})

test('credentials are in no event, log line or list', async () => {
  const said: string[] = []
  const note = (fields: object, message: string): void =>
    void said.push(message + JSON.stringify(fields))
  const logger: Logger = { ...silentLogger, info: note, warn: note, error: note, debug: note }
  const canary = 'canary-7f3b9c'
  const [good, bad] = [accountOf(), accountOf()]
  await configure(good, { secret: canary })
  await configure(bad, { secret: [canary], [canary]: canary })
  const { registry } = open({ logger })
  await registry.refresh()
  const log = await store.log.after(platformTenant, 0, 1000)
  const everything = JSON.stringify([log, said, [...registry.known.values()]])
  expect(said.length).toBeGreaterThan(0)
  expect(everything).not.toContain(canary)
  const kept = await store.vault.get(platformTenant, `driver-credentials/${good.name}`)
  expect(Buffer.from(kept ?? []).toString()).not.toContain(canary)
})
