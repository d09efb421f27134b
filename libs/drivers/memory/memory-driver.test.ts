import { expect, test } from 'vitest'
import { remove, serve } from '../carry-out.ts'
import { testDriver } from '../driver.conformance.ts'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { createMemoryDriver } from './memory-driver.ts'

for (const slow of [false, true]) {
  testDriver(slow ? 'memory, slow' : 'memory', async () => {
    const driver = createMemoryDriver({ installation: ourInstallation, slow })
    return Promise.resolve({
      driver,
      settle: async () => Promise.resolve(driver.provider.settle()),
      world: driver.provider.world.bind(driver.provider),
      plant: async (desired) => Promise.resolve(driver.provider.plant(desired)),
      failNext: (when) => driver.meet([when === 'before' ? 'fails' : 'loses-reply']),
    })
  })
}

test('input that breaks the contract is refused', async () => {
  const driver = createMemoryDriver({ installation: ourInstallation })
  const broken = { ...desiredOf(), generation: 0 }
  expect(await serve(driver, broken)).toMatchObject({ status: 'refused', capability: 'input' })
})

test('a frozen list is a stale one', async () => {
  const driver = createMemoryDriver({ installation: ourInstallation })
  await serve(driver, desiredOf())
  driver.freezeList(true)
  await remove(driver, desiredOf().marks)
  expect((await driver.inventory()).resources).toHaveLength(1)
  driver.freezeList(false)
  expect((await driver.inventory()).resources).toHaveLength(0)
})
