import { expect, test } from 'vitest'
import { createMemoryDriver } from '../memory/memory-driver.ts'
import { desiredOf, ourInstallation } from '../sample-desired.ts'
import { audit } from './audit.ts'
import { createLogFollower } from './log-follower.ts'
import { createSampleLog, life } from './sample-log.ts'

const openAudit = () => {
  const log = createSampleLog()
  const driver = createMemoryDriver({ name: 'edge', installation: ourInstallation })
  const follower = createLogFollower(log)
  const run = () =>
    audit({ driver, log, follower, installation: ourInstallation, schemaProblem: async () => null })
  return { log, driver, follower, run }
}

test('an intent that is recorded while the inventory is read is no finding', async () => {
  const { log, driver, follower, run } = openAudit()
  const { requested, intended } = life(1)
  log.say(2, life(2).requested, life(2).intended())
  driver.provider.plant(desiredOf(2))
  await follower.catchUp()
  const { inventory } = driver
  driver.inventory = async (cursor) => {
    // Intent before effect, both while the scan goes on.
    log.say(1, requested, intended())
    driver.provider.plant(desiredOf(1))
    driver.inventory = inventory
    return inventory(cursor)
  }
  const report = await run()
  expect([report.listed, report.counts.orphan, report.counts.live]).toEqual([2, 0, 2])
  expect(report.findings.map(({ verdict }) => verdict)).toEqual(['live'])
  expect((await run()).counts.live).toBe(2)
})

test('what was released after the log was read first is found by the next scan', async () => {
  const { log, driver, run } = openAudit()
  const { requested, intended, released } = life(1)
  log.say(1, requested, intended())
  driver.provider.plant(desiredOf(1))
  const { inventory } = driver
  driver.inventory = async (cursor) => {
    log.say(1, released)
    driver.inventory = inventory
    return inventory(cursor)
  }
  expect((await run()).counts).toMatchObject({ live: 1, orphan: 0 })
  expect((await run()).counts).toMatchObject({ live: 0, orphan: 1 })
})

test('a log that ends before its head is a hindrance', async () => {
  const { log, run } = openAudit()
  log.say(1, life(1).requested, life(1).intended())
  log.after = async () => []
  expect((await run()).hindrances).toMatchObject([{ name: 'log-horizon' }])
})

test('a log with a hole is a hindrance, not a shorter log', async () => {
  const { log, run } = openAudit()
  log.say(1, life(1).requested, life(1).intended(), life(1).released)
  const { after } = log
  log.after = async (tenant, sequence, limit) =>
    (await after(tenant, sequence, limit)).filter((event) => event.sequence !== 2)
  const [found] = (await run()).hindrances
  expect(found?.why).toContain('read to 1 of 3')
})

test('an account that is another one is a hindrance', async () => {
  const { driver, log, follower } = openAudit()
  const ports = { driver, log, follower, installation: ourInstallation }
  const report = await audit({
    ...ports,
    schemaProblem: async () => null,
    account: async () => 'the right one',
  })
  expect(report.hindrances[0]?.why).toContain('account edge, expected the right one')
})

test('pages that never end are a hindrance', async () => {
  const { driver, run } = openAudit()
  driver.inventory = async () => ({ resources: [], next: 'same' })
  expect((await run()).hindrances).toMatchObject([{ name: 'inventory-incomplete' }])
})

test('of a great many things that are not ours only some are named, and all are counted', async () => {
  const { driver, run } = openAudit()
  const resources = Array.from({ length: 1500 }, (_, at) => ({
    kind: 'load balancer',
    ref: `lb-${at}`,
    marks: null,
    generation: 0,
  }))
  driver.inventory = async () => ({ resources })
  const report = await run()
  expect([report.counts.unmarked, report.findings.length]).toEqual([1500, 1000])
})
