import { OperatingError } from '@weir/kernel'
import type { InventoryItem, InventoryPage, Marked, Outcome } from '../driver.ts'
import type { Reads } from './api.ts'
import { deleteBalancer, freeFloatingIp, type Hands } from './execute.ts'
import { labelsOf, marksInDescription } from './marks.ts'
import type { Balancer, FloatingIp } from './objects.ts'
import { notOurs } from './plan.ts'
import type { OctaviaSettings } from './settings.ts'

export const balancerKind = 'load balancer'
export const floatingKind = 'floating IP'

/**
 * One page of everything in the project that could be ours: first load balancers, then floating IPs. A
 * cursor holds all there is to know, so another process may go on.
 */
export const listPage = async (
  reads: Reads,
  settings: OctaviaSettings,
  cursor: string | undefined,
): Promise<InventoryPage> => {
  const [part = 'lb', marker = ''] = cursor?.split(' ') ?? []
  const from = marker === '' ? null : marker
  if (part === 'lb') {
    const page = await reads.balancerPage(from, settings.pageSize)
    const next = page.next === null ? await afterBalancers(reads) : `lb ${page.next}`
    const there = page.items.filter((each) => each.provisioning_status !== 'DELETED')
    return { resources: there.map(balancerItem), ...(next === undefined ? {} : { next }) }
  }
  if (part !== 'fip') throw new OperatingError(`cannot list from cursor "${cursor}"`)
  const page = await reads.floatingIpPage(from, settings.pageSize)
  const next = page.next === null ? {} : { next: `fip ${page.next}` }
  return { resources: page.items.map(floatingItem), ...next }
}

const afterBalancers = async (reads: Reads): Promise<string | undefined> => {
  const { network } = await reads.access()
  return network === null ? undefined : 'fip '
}

const balancerItem = ({ id, tags }: Balancer): InventoryItem => {
  const labels = labelsOf(tags)
  return {
    kind: balancerKind,
    ref: id,
    marks: labels?.marks ?? null,
    generation: labels?.generation ?? 0,
  }
}

const floatingItem = ({ id, description }: FloatingIp): InventoryItem => ({
  kind: floatingKind,
  ref: id,
  marks: marksInDescription(description ?? ''),
  generation: 0,
})

/** Deletes one thing of an inventory; `done` only when a read found nothing. See `Driver.release`. */
export const release = async (hands: Hands, { kind, ref, marks }: Marked): Promise<Outcome> => {
  if (marks.installation !== hands.installation) return notOurs(marks)
  const grant = hands.budget.ask(marks.tenant, 'write')
  if (!grant.granted) {
    return { status: 'retry', afterMs: grant.retryMs, problem: "the account's rate is used up" }
  }
  const thing = { id: ref, marks }
  if (kind === balancerKind) return deleteBalancer(hands, `release load balancer ${ref}`, thing)
  if (kind !== floatingKind) {
    return { status: 'refused', capability: 'kind', problem: `there is no kind "${kind}" here` }
  }
  if ((await hands.reads.floatingIp(ref)) === null) return { status: 'done' }
  const outcome = await freeFloatingIp(hands, `release floating IP ${ref}`, thing)
  return outcome.status === 'done' ? { status: 'pending', lookAgainMs: 1000 } : outcome
}
