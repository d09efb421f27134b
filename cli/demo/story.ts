import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { findBalancer } from '../commands/balancer.ts'

const page = z.object({ items: z.array(z.looseObject({ type: z.string() })) })

/** The types of a Service's events in order, from the log. */
export const serviceEventTypes = async (api: ApiClient, service: string): Promise<string[]> => {
  const { service: story } = await findBalancer(api, service)
  const path = `/v1/tenants/${api.tenant}/events?story=${story}&limit=1000`
  return (await api.get(path, page)).items.map((event) => event.type)
}

/** How many things exist without a reason. */
export const garbageCount = async (api: ApiClient): Promise<number> => {
  const report = z.object({ findings: z.array(z.unknown()) })
  return (await api.get('/v1/gc/report', report)).findings.length
}
