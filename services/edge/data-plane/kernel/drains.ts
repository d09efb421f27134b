import type { DesiredResource, ResourceKey } from '@weir/contract'
import type { Clock } from '@weir/kernel'
import { classIdText, type FrontendKey } from '../../domain/forwarding-table.ts'
import { carried, keyOfFrontend } from './carried.ts'
import type { Reach } from './reach.ts'

/** What left its order and goes on for a while: frontends of resources, nodes of services. */
export interface Drains {
  leaves(key: ResourceKey, frontend: FrontendKey): void
  /** These are ordered again, or still. */
  stay(key: ResourceKey, frontends: ReadonlySet<FrontendKey>): void
  nodeLeaves(service: string, mac: string): void
  nodeStays(service: string, mac: string): void
  closing(key: ResourceKey): readonly FrontendKey[]
  forget(key: ResourceKey): void
  /** What is over since this was asked last: whose frontends close now, and which flows are cut. */
  over(): Over
}

export interface Over {
  readonly keys: readonly ResourceKey[]
  readonly macs: readonly { readonly service: string; readonly mac: string }[]
}

export const createDrains = (drainMs: number, clock: Pick<Clock, 'now'>): Drains => {
  const frontends = new Map<ResourceKey, Map<FrontendKey, number>>()
  const nodes = new Map<string, { readonly service: string; readonly mac: string; at: number }>()
  return {
    leaves: (key, frontend) => {
      const own = frontends.get(key) ?? new Map<FrontendKey, number>()
      if (!own.has(frontend)) own.set(frontend, clock.now() + drainMs)
      frontends.set(key, own)
    },
    stay: (key, ordered) => {
      for (const frontend of ordered) frontends.get(key)?.delete(frontend)
    },
    nodeLeaves: (service, mac) => {
      const name = `${service} ${mac}`
      if (!nodes.has(name)) nodes.set(name, { service, mac, at: clock.now() + drainMs })
    },
    nodeStays: (service, mac) => void nodes.delete(`${service} ${mac}`),
    closing: (key) => [...(frontends.get(key)?.keys() ?? [])],
    forget: (key) => void frontends.delete(key),
    over: () => {
      const now = clock.now()
      const keys: ResourceKey[] = []
      for (const [key, own] of frontends) {
        const ended = [...own].filter(([, at]) => at <= now)
        for (const [frontend] of ended) own.delete(frontend)
        if (ended.length > 0) keys.push(key)
        if (own.size === 0) frontends.delete(key)
      }
      const macs = [...nodes].filter(([, { at }]) => at <= now)
      for (const [name] of macs) nodes.delete(name)
      return { keys, macs: macs.map(([, { service, mac }]) => ({ service, mac })) }
    },
  }
}

export interface Turned {
  readonly before: DesiredResource
  readonly now: DesiredResource
  readonly id: number | undefined
  readonly reach: Reach
}

/** Frontends and nodes that the new order leaves out drain; those that came back don't. */
export const noteDrains = (drains: Drains, { before, now, id, reach }: Turned): void => {
  const key = now.marks.key
  const ordered = new Set(carried(now).map(keyOfFrontend))
  drains.stay(key, ordered)
  for (const frontend of carried(before).map(keyOfFrontend)) {
    if (!ordered.has(frontend)) drains.leaves(key, frontend)
  }
  if (id === undefined) return
  const service = classIdText(id)
  const nodes = new Set(now.targets.map(({ ip }) => reach.macOf(ip)))
  for (const { ip } of before.targets) {
    const mac = reach.macOf(ip)
    if (mac !== undefined && !nodes.has(mac)) drains.nodeLeaves(service, mac)
  }
  for (const mac of nodes) if (mac !== undefined) drains.nodeStays(service, mac)
}
