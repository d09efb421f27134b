import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, print, type Format } from '../output.ts'
import { findBalancer } from './balancer.ts'

/** Prints one URL per port of a Service that serves, TCP ports as http. */
export const url = async (
  client: ApiClient,
  service: string,
  flags: { output: Format },
): Promise<void> => {
  const found = await findBalancer(client, service)
  const [first] = found.ingress
  if (!first) {
    const why = found.reason?.message ?? `it ${found.statusText}`
    throw new CommandFailed(
      'failed',
      `${service} has no address: ${why}`,
      `weir explain service ${service}`,
    )
  }
  const urls = found.frontends.map(({ ip, protocol, port }) => {
    const host = ip.includes(':') ? `[${ip}]` : ip
    return `${protocol === 'TCP' ? 'http' : protocol.toLowerCase()}://${host}:${port}`
  })
  answer(flags.output, urls, () => urls.forEach(print))
}
