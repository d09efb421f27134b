// What really happened, written down where it takes effect and not by those who did it.
import type { ClusterId, RecordedEvent } from '@weir/contract'
import type { Service } from '../kube/object.ts'
import type { StatusPatch } from '../kube/service-status.ts'
import type { Change } from '../kube/store.ts'

/** A write on a Service's status that an API server accepted. */
export interface KubeWrite {
  readonly cluster: string
  readonly by: string
  readonly before: Service
  readonly after: Service
  readonly patch: StatusPatch
}

/** A change that a provider accepted, or that came to its end there. */
export interface ProviderAct {
  readonly driver: string
  readonly act: 'create' | 'update' | 'delete' | 'gone'
  readonly ref: string
  /** Whose marks it carries; empty for none. */
  readonly installation: string
  readonly tenant: string
  readonly service: string
  readonly key: string
  readonly epoch: number
  readonly generation: number
  readonly by: string
  /** When whoever asked for it began to ask. */
  readonly askedAt: number
}

export type Entry =
  | { readonly kind: 'event'; readonly at: number; readonly event: RecordedEvent }
  | { readonly kind: 'kube-write'; readonly at: number; readonly write: KubeWrite }
  | {
      readonly kind: 'kube-change'
      readonly at: number
      readonly cluster: ClusterId
      readonly tenant: string
      readonly change: Change
    }
  | { readonly kind: 'provider'; readonly at: number; readonly act: ProviderAct }

/** Everything in the order in which it happened. */
export interface Ledger {
  readonly entries: readonly Entry[]
  write(entry: Entry extends infer E ? (E extends Entry ? Omit<E, 'at'> : never) : never): void
}

export const createLedger = (now: () => number): Ledger => {
  const entries: Entry[] = []
  return {
    entries,
    write: (entry) => entries.push({ ...entry, at: now() }),
  }
}
