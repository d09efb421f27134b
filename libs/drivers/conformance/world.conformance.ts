// What there is at a provider, and what there ought to be.
import type { DesiredResource } from '@weir/contract'
import { expect } from 'vitest'
import { nodePortOf } from '../capability.ts'
import type { Capabilities, Driver, InventoryItem, Marked } from '../driver.ts'
import { ourInstallation } from '../sample-desired.ts'
import type { DriverRig, Serving } from './rig.conformance.ts'

/** That we serve exactly this; what others serve is left out of account. */
export const expectServing = async (
  rig: DriverRig,
  ...wanted: readonly DesiredResource[]
): Promise<void> => {
  const serving = await rig.serving()
  const ours = serving.filter(({ installation }) => installation === ourInstallation)
  const expected = wanted.map((desired) => servingOf(desired, rig.driver.capabilities))
  expect(inOrder(ours)).toEqual(inOrder(expected))
}

/** What a provider does for `desired`, so far as it can tell wishes apart. */
export const servingOf = (desired: DesiredResource, can: Capabilities): Serving => ({
  installation: desired.marks.installation,
  key: desired.marks.key,
  epoch: desired.marks.epoch,
  generation: desired.generation,
  frontends: desired.frontends.map(({ protocol, port }) => ({ protocol, port })),
  targets: desired.frontends.flatMap((at) =>
    desired.targets.map(({ ip, providerId, weight }) => ({
      at: can.targetsByProviderId === null ? ip : (providerId ?? 'no provider id'),
      nodePort: can.needsNodePort ? nodePortOf(at) : null,
      weight: can.weights ? weight : 1,
    })),
  ),
  sourceRanges: desired.sourceRanges,
  health: { port: desired.health.port, path: desired.health.path },
  proxyProtocol: desired.proxyProtocol,
  affinity: desired.affinity.kind,
})

const inOrder = (serving: readonly Serving[]): readonly Serving[] =>
  byText(
    serving.map((one) => ({
      ...one,
      frontends: byText(one.frontends),
      targets: byText(one.targets),
      sourceRanges: byText(one.sourceRanges),
    })),
  )

const byText = <T>(values: readonly T[]): readonly T[] =>
  values.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))

/** Kinds of all things there, one entry for each thing. */
export const kindsAt = async (rig: DriverRig): Promise<readonly string[]> =>
  (await rig.things()).map(({ kind }) => kind).toSorted()

/** That nothing at all is there, with our marks or without any. */
export const expectNothing = async (rig: DriverRig): Promise<void> => {
  expect(await rig.things()).toEqual([])
  expect(await listAll(rig.driver)).toEqual([])
}

/** A bound on pages, for an inventory that never ends. */
const maxPages = 100

export const listAll = async (driver: Driver): Promise<readonly InventoryItem[]> => {
  const items: InventoryItem[] = []
  for (let next: string | undefined, pages = 0; pages < maxPages; pages += 1) {
    const page = await driver.inventory(next)
    items.push(...page.resources)
    next = page.next
    if (next === undefined) return items
  }
  throw new Error('the inventory has no end')
}

/** What an inventory has of ours. */
export const listOurs = async (driver: Driver): Promise<readonly Marked[]> =>
  (await listAll(driver)).flatMap(({ kind, ref, marks }) =>
    marks?.installation === ourInstallation ? [{ kind, ref, marks }] : [],
  )

/** Releases everything of ours that the inventory has, time and again, until it has none. */
export const sweep = async (rig: DriverRig): Promise<void> => {
  for (let round = 0; round < 40; round += 1) {
    const items = await listOurs(rig.driver)
    if (items.length === 0) return
    for (const item of items) {
      const { status } = await rig.driver.release(item)
      expect(['done', 'pending', 'locked', 'retry', 'unknown']).toContain(status)
    }
    await rig.settle()
  }
  throw new Error(`the inventory is not empty: ${JSON.stringify(await listOurs(rig.driver))}`)
}
