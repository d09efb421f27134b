import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { carryTcp, type TcpFlowOptions } from './tcp-flow.ts'
import type { Endpoint } from './proxy-header.ts'

/** A link-local client comes with the name of the interface (`fe80::1%eth0`), which is ours alone. */
export const withoutZone = (address: string): string => address.replace(/%.*$/, '')

/** An address and port that answers clients. */
export interface OpenFrontend {
  /** Whether flows live that need this frontend's own socket. */
  holdsFlows(): boolean
  /** Takes no new flow; the port is free when it resolves. */
  close(): Promise<void>
}

export interface TcpFrontendOptions extends TcpFlowOptions {
  readonly frontendKey: string
  readonly at: Endpoint
  readonly connectionsMax: number
}

/**
 * Listens at `at`. A client from outside the source ranges, or beyond the limit, is reset before a byte
 * of it is read.
 * @throws the bind error, with its `code`.
 */
export const openTcpFrontend = async (options: TcpFrontendOptions): Promise<OpenFrontend> => {
  const { at, frontendKey, route, tally } = options
  let connections = 0

  const accept = (socket: Socket): void => {
    const { remoteAddress, remotePort: port } = socket
    if (remoteAddress === undefined || port === undefined) return void socket.destroy()
    const address = withoutZone(remoteAddress)
    if (!route.admits(address)) {
      tally.deniedBySource += 1
      return void socket.resetAndDestroy()
    }
    if (connections >= options.connectionsMax) {
      tally.deniedByLimit += 1
      return void socket.resetAndDestroy()
    }
    connections += 1
    tally.connections += 1
    tally.connectionsOpen += 1
    socket.on('close', () => {
      connections -= 1
      tally.connectionsOpen -= 1
    })
    void carryTcp(options, { socket, client: { address, port }, frontend: at, frontendKey })
  }

  const server = createServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: options.keepAliveMs,
    highWaterMark: options.waitingBytesMax,
  })
  server.on('connection', accept)
  server.listen({ host: at.address, port: at.port, backlog: 4_096, ipv6Only: true })
  await once(server, 'listening')
  // After listening only `accept` can fail, for want of file descriptors: the client is then dropped.
  server.on('error', () => undefined)
  return {
    holdsFlows: () => false,
    // The port is free at once; the call back would wait for the last connection.
    close: async () => void server.close(),
  }
}
