// Reads everything that the verdict needs: the API server by HTTPS, the log by SQL, providers by themselves.
import { query } from '@weir/testing'
import type { ApiServer } from './api-server.ts'
import { namespace } from './churn.ts'
import type { Evidence, LogEvent, ServiceObject } from './judge.ts'
import type { Provider } from './providers/provider.ts'
import { installation, tenant } from './stage.ts'

export interface Truth {
  /** Reads all of it. @throws when a part does not answer */
  gather(): Promise<Evidence>
  /** The log as far as it was read, after reading on. */
  log(): Promise<readonly LogEvent[]>
}

export interface TruthOptions {
  readonly kube: ApiServer
  readonly databaseUrl: string
  readonly providers: readonly Provider[]
}

interface Row {
  readonly sequence: string
  readonly type: string
  readonly story: string
  readonly at: Date
  readonly data: Readonly<Record<string, unknown>>
}

export const createTruth = ({ kube, databaseUrl, providers }: TruthOptions): Truth => {
  const events: LogEvent[] = []
  const ask = async <T>(sql: string): Promise<readonly T[]> =>
    (await query(databaseUrl, sql)) as unknown as readonly T[]

  const log = async (): Promise<readonly LogEvent[]> => {
    const rows = await ask<Row>(
      `select sequence, type, correlation_id as story, recorded_at as at, data from weir.event
       where tenant = '${tenant}' and sequence > ${events.at(-1)?.sequence ?? 0} order by sequence`,
    )
    for (const { sequence, at, ...rest } of rows) {
      events.push({ ...rest, sequence: Number(sequence), at: at.getTime() })
    }
    return events
  }
  return {
    log,
    gather: async () => {
      // Providers before the log: whatever they show was intended before, so the log must have it.
      const seen = await Promise.all(
        providers.map(async (each) => ({
          name: each.name,
          changes: await each.changes(),
          things: await each.things(),
        })),
      )
      const path = `/api/v1/namespaces/${namespace}/services`
      const { items } = await kube.read<{ items: readonly ServiceObject[] }>(path)
      const holders = await ask<{ holder: string }>(
        // A group holds a shared address for those who have ports of it.
        `select distinct holder from weir.claim a where holder is not null and not (
          holder like 'share-%' and exists (select from weir.claim f
            where f.scope = 'frontend' and f.holder is not null and f.key ^@ (a.key || ':')))`,
      )
      return {
        installation,
        services: items,
        log: await log(),
        providers: seen,
        holders: holders.map(({ holder }) => holder),
      }
    },
  }
}
