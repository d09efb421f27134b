import type { Socket } from 'node:net'
import { dial } from './dial.ts'
import type { Flow, Flows } from './flows.ts'
import { proxyHeaderV2, type Endpoint } from './proxy-header.ts'
import type { Hop, Route } from './route.ts'
import type { Tally } from './tally.ts'

export interface TcpFlowOptions {
  readonly route: Route
  readonly flows: Flows
  readonly tally: Tally
  readonly connectTimeoutMs: number
  readonly connectAttempts: number
  readonly keepAliveMs: number
  readonly waitingBytesMax: number
}

/** A client that was accepted at a frontend; nothing of its bytes is read yet. */
export interface Accepted {
  readonly socket: Socket
  readonly client: Endpoint
  readonly frontend: Endpoint
  /** `frontendText` of the frontend. */
  readonly frontendKey: string
}

/**
 * Carries one connection until both sides have closed. A node that can't be reached is left for the
 * next: no byte of the client was sent yet, so nothing is done twice. When nobody takes it the client
 * sees a reset.
 */
export const carryTcp = async (options: TcpFlowOptions, accepted: Accepted): Promise<void> => {
  const { socket, client, frontendKey } = accepted
  const { route, tally } = options
  const state = { clientGone: false }
  const onLeft = (): void => void (state.clientGone = true)
  socket.on('error', onLeft).on('close', onLeft)

  const tried = new Set<string>()
  while (tried.size < options.connectAttempts && !state.clientGone) {
    const hop = route.choose(frontendKey, client.address, tried)
    if (!hop) break
    tried.add(hop.node)
    const source = route.sourceFor(client.address, hop.ip)
    try {
      const node = await dial({
        hop,
        source,
        client: socket,
        timeoutMs: options.connectTimeoutMs,
        keepAliveMs: options.keepAliveMs,
        waitingBytesMax: options.waitingBytesMax,
      })
      if (state.clientGone) return void node.destroy()
      // The order may have changed while we connected; such a flow would belong to nobody.
      if (!route.orders(frontendKey, hop.node)) {
        node.destroy()
        continue
      }
      socket.off('error', onLeft).off('close', onLeft)
      return join(options, accepted, hop, node)
    } catch {
      // Counted, not logged: a node's own health says why, and this happens once per connection.
      tally.connectFailures += 1
    }
  }
  if (!state.clientGone) tally.unserved += 1
  socket.resetAndDestroy()
}

const join = (options: TcpFlowOptions, accepted: Accepted, hop: Hop, node: Socket): void => {
  const { socket: client, frontendKey } = accepted
  const { flows, tally, route } = options
  const flow: Flow = {
    frontend: frontendKey,
    node: hop.node,
    cut: () => {
      client.resetAndDestroy()
      node.resetAndDestroy()
    },
  }
  flows.add(flow)
  let open = 2
  const onClosed = (): void => {
    open -= 1
    if (open > 0) return
    flows.delete(flow)
    tally.bytesToNodes += node.bytesWritten
    tally.bytesToClients += client.bytesWritten
  }
  endTogether(client, node)
  endTogether(node, client)
  client.on('close', onClosed)
  node.on('close', onClosed)

  if (route.sendsProxyHeader()) node.write(proxyHeaderV2(accepted.client, accepted.frontend))
  client.on('data', (chunk: Buffer) => {
    if (!node.write(chunk)) client.pause()
  })
  node.on('drain', () => client.resume())
  client.on('drain', () => node.resume())
  client.resume()
}

/** What happens at `one` happens at `other`: an end is passed on alone, an error ends both. */
const endTogether = (one: Socket, other: Socket): void => {
  one.on('end', () => other.end())
  one.on('error', () => other.resetAndDestroy())
  one.on('close', () => {
    // After an orderly end both directions were ended; anything else must not leave half a flow.
    if (!one.readableEnded) other.destroy()
  })
}
