import { z } from 'zod'
import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'

/** An address, or a name where a provider gives none. */
const ingress = z.union([
  z.object({ ip: z.string(), ipMode: z.string() }),
  z.object({ hostname: z.string() }),
])

const port = z.looseObject({ protocol: z.string(), port: z.int() })

/** The part of the API's load balancer that the command prints. */
export const balancer = z.looseObject({
  service: z.string(),
  cluster: z.string(),
  namespace: z.string(),
  name: z.string(),
  driver: z.string(),
  status: z.string(),
  statusText: z.string(),
  leases: z.array(z.object({ ip: z.string(), pool: z.string() })),
  frontends: z.array(z.object({ ip: z.string(), protocol: z.string(), port: z.int() })),
  ingress: z.array(ingress),
  intent: z.looseObject({ externalTrafficPolicy: z.string(), ports: z.array(port) }),
  targets: z.array(z.object({ node: z.string(), ip: z.string(), weight: z.int() })),
  out: z.array(z.object({ node: z.string(), problem: z.string().nullable() })).default([]),
  reason: z.object({ code: z.string(), message: z.string(), fix: z.string() }).nullable(),
  updatedAt: z.string(),
})
export type Balancer = z.infer<typeof balancer>

/** Where it answers, address or name. */
export const hostOf = (at: Balancer['ingress'][number]): string =>
  'ip' in at ? at.ip : at.hostname

/** The ports it serves: those held for it, or those asked for where nothing is held. */
export const portsOf = ({ frontends, intent }: Balancer): Balancer['intent']['ports'] =>
  frontends.length > 0 ? frontends : intent.ports

export const balancerPage = z.object({
  items: z.array(balancer),
  nextCursor: z.string().nullable(),
})

/**
 * The load balancer of `NAMESPACE/NAME`: the one that lives, else the newest that is gone.
 * @throws CommandFailed when there never was one
 */
export const findBalancer = async (client: ApiClient, service: string): Promise<Balancer> => {
  const [namespace, name, rest] = service.split('/')
  if (!namespace || !name || rest !== undefined) {
    throw new CommandFailed(
      'usage',
      `"${service}" is not NAMESPACE/NAME`,
      'such as default/example-service',
    )
  }
  const query = new URLSearchParams({ namespace, name, all: 'true' })
  const path = `/v1/tenants/${client.tenant}/load-balancers?${query.toString()}`
  const { items } = await client.get(path, balancerPage)
  const newestFirst = items.toSorted((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1))
  const found = newestFirst.find((each) => each.status !== 'Released') ?? newestFirst[0]
  if (found) return found
  throw new CommandFailed(
    'notFound',
    `no load balancer was ever asked for by ${service}`,
    'is it of type LoadBalancer, without another loadBalancerClass, in a connected cluster?',
  )
}
