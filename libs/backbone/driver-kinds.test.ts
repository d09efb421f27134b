import { createMemoryBus } from '@weir/bus'
import { driverAccount, fleetName, installationId, type DriverAccount } from '@weir/contract'
import { envoyCapabilities } from '@weir/drivers'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { expect, test } from 'vitest'
import { createDriverKinds } from './driver-kinds.ts'

const bus = createMemoryBus({ clock: systemClock, random: () => systemIds.random() })
const ports = {
  installation: installationId.parse('test'),
  clock: systemClock,
  ids: systemIds,
  logger: silentLogger,
}
const fleetOf = (over: Partial<DriverAccount> = {}): DriverAccount => ({
  ...driverAccount.parse({
    name: 'proxies',
    kind: 'fleet',
    tenant: null,
    account: 'proxy-fleet',
    settings: { dataPlane: 'envoy' },
  }),
  ...over,
})

test('a further fleet has a driver of its own name, with what its data plane can do', async () => {
  const kind = await createDriverKinds(systemClock, { bus }).fleet()
  const driver = kind.open(fleetOf(), null, ports)
  expect(driver).toMatchObject({ name: 'proxies', capabilities: envoyCapabilities })
  expect(await driver.probe()).toMatchObject({ account: fleetName.parse('proxy-fleet') })
})

test.each([
  [
    'a data plane that nobody knows',
    fleetOf({ settings: { dataPlane: 'magic' } }),
    null,
    'settings',
  ],
  ['credentials', fleetOf(), { secret: 'x' }, 'credentials'],
  ['a name that subjects cannot carry', fleetOf({ account: 'a.b' }), null, 'driver.account'],
])('a fleet with %s is refused by the name of the field', async (_, account, secret, field) => {
  const kind = await createDriverKinds(systemClock, { bus }).fleet()
  expect(() => kind.open(account, secret, ports)).toThrow(field)
})
