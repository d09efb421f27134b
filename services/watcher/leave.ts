import type { ClusterId, ServiceUid, TenantId } from '@weir/contract'
import type { Store } from '@weir/eventlog'
import { explainError, type Clock, type Logger } from '@weir/kernel'
import { kubeService, listAll, seeService, type SeenService } from '@weir/kube'
import type { Desk, Desks } from './desk.ts'
import type { Home } from './domain/fold.ts'
import { consumer } from './reconcile.ts'
import type { Registry } from './registry.ts'

export interface LeavePorts {
  readonly store: Pick<Store, 'observed' | 'work'>
  readonly registry: Pick<Registry, 'find'>
  readonly desks: Pick<Desks, 'at'>
  /** Whether this process watches the cluster still. */
  readonly watches: (tenant: TenantId, cluster: ClusterId) => boolean
  /** Brings one Service to what its story says, whose place nobody may have kept. */
  readonly settle: (tenant: TenantId, uid: ServiceUid, at: Home) => Promise<unknown>
  readonly clock: Clock
  readonly logger: Logger
}

/** When a cluster that left is looked at again, after its end: others may have paused for so long. */
const againMs = [5_000, 20_000, 60_000, 300_000]

/** Has every Service of a cluster that is served no longer looked at: our finalizers must go. */
export const createLeave = (ports: LeavePorts) => {
  const { store, registry, clock } = ports
  return async (tenant: TenantId, cluster: ClusterId): Promise<{ readonly againInMs?: number }> => {
    const known = await registry.find(tenant, cluster)
    if (known?.served !== false) return {}
    // A watch that has not ended yet would put them on again.
    if (ports.watches(tenant, cluster)) return { againInMs: 200 }
    const seen = await store.observed.list({ tenant, cluster, kind: 'service' })
    const kept = seen.filter(({ phase }) => phase !== 'gone').map(({ serviceUid }) => serviceUid)
    await store.work.mark(consumer, tenant, kept)
    const lost = await heldUnseen(ports, { tenant, cluster }, new Set(kept))
    for (const at of lost) await ports.settle(tenant, at.uid, { ...at, cluster })
    // A process that watches the cluster still may put a finalizer on until it hears of the end.
    const elapsedMs = clock.now() - (known.leftAt ?? 0)
    const next = againMs.find((afterMs) => afterMs > elapsedMs)
    return next === undefined ? {} : { againInMs: next - elapsedMs }
  }
}

/**
 * A finalizer is put on before anybody is told of the Service, and what was told may have been lost: then
 * the cluster alone knows. One that answers no longer is asked again as long as `againMs` goes on.
 */
const heldUnseen = async (
  { desks, logger }: LeavePorts,
  { tenant, cluster }: { readonly tenant: TenantId; readonly cluster: ClusterId },
  kept: ReadonlySet<ServiceUid>,
): Promise<readonly SeenService[]> => {
  try {
    const desk = await desks.at(tenant, cluster)
    const held = desk === undefined ? [] : await listHeld(desk)
    return held.filter(({ uid }) => !kept.has(uid))
  } catch (error) {
    const problem = explainError(error)
    logger.warn({ tenant, cluster, problem }, 'a cluster that left cannot be asked for finalizers')
    return []
  }
}

const listHeld = async ({ connection, known }: Desk): Promise<readonly SeenService[]> => {
  const { signal } = new AbortController()
  const list = await listAll({ connection, path: '/api/v1/services', kind: 'ServiceList', signal })
  const { defaultClass } = known.cluster
  return list.items.flatMap((raw) => {
    const service = kubeService.safeParse(raw)
    const seen = service.success ? seeService(service.data, { defaultClass }) : undefined
    return seen?.held ? [seen] : []
  })
}
