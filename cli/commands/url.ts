import type { ApiClient } from '../client.ts'
import { CommandFailed } from '../exit.ts'
import { answer, print, type Format } from '../output.ts'
import { findBalancer, hostOf, portsOf } from './balancer.ts'

/** Prints one URL per port of a Service that serves, TCP ports as http. */
export const url = async (
  client: ApiClient,
  service: string,
  flags: { output: Format },
): Promise<void> => {
  const found = await findBalancer(client, service)
  if (found.ingress.length === 0) {
    const why = found.reason?.message ?? `it ${found.statusText}`
    throw new CommandFailed(
      'failed',
      `${service} has no address: ${why}`,
      `weir explain service ${service}`,
    )
  }
  const hosts = found.ingress.map(hostOf).map((at) => (at.includes(':') ? `[${at}]` : at))
  const urls = hosts.flatMap((host) =>
    portsOf(found).map(({ protocol, port }) => {
      const scheme = protocol === 'TCP' ? 'http' : protocol.toLowerCase()
      return `${scheme}://${host}:${port}`
    }),
  )
  answer(flags.output, urls, () => urls.forEach(print))
}
