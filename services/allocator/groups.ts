import { streamId, type SharingGroup, type TenantId } from '@weir/contract'
import type { EventLog } from '@weir/eventlog'
import { evolveSharing, nobody, type Sharing } from './domain/sharing.ts'

/** The groups as their streams tell of them now. */
export const readGroups = async (
  log: Pick<EventLog, 'stream'>,
  tenant: TenantId,
  groups: readonly SharingGroup[],
): Promise<ReadonlyMap<SharingGroup, Sharing>> =>
  new Map(
    await Promise.all(
      groups.map(async (group) => {
        const events = await log.stream(tenant, streamId.parse(group))
        return [group, events.reduce(evolveSharing, nobody)] as const
      }),
    ),
  )
