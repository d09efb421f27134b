import { connect, createServer } from 'node:net'
import { once } from 'node:events'

/** Leads TCP connections to one address of this machine on to another; answers what ends it. */
export const forward = async (
  at: { readonly host: string; readonly port: number },
  to: { readonly host: string; readonly port: number },
): Promise<() => Promise<void>> => {
  const server = createServer((incoming) => {
    const outgoing = connect(to)
    for (const [one, other] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      one.pipe(other)
      // Whoever ends or breaks, so does the other side; both reconnect by themselves.
      one.on('error', () => other.destroy()).on('close', () => other.destroy())
    }
  })
  server.listen(at)
  await once(server, 'listening')
  return async () => void server.close()
}
