import { connect, type Socket } from 'node:net'
import { createReadBuffers, releaseBuffer } from './read-buffers.ts'
import type { Hop } from './route.ts'

export interface DialOptions {
  readonly hop: Hop
  /** The local address to connect from. */
  readonly source: string | undefined
  readonly timeoutMs: number
  readonly keepAliveMs: number
  /** Where the node's bytes go; this also bounds how fast they are read. */
  readonly client: Socket
  /** Most bytes that wait for a slow node. */
  readonly waitingBytesMax: number
}

/**
 * Connects to a node port and from then on writes what the node says to the client. The bytes go through
 * buffers of our own (`onread`), which costs half of what a stream's does.
 * @throws the connect error, or one that names the time-out.
 */
export const dial = (options: DialOptions): Promise<Socket> => {
  const { hop, client, timeoutMs } = options
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const buffers = createReadBuffers()
  // Documented for streams, which a socket is, but missing from the options of `connect`.
  const streamOptions = { highWaterMark: options.waitingBytesMax }
  const node: Socket = connect({
    ...streamOptions,
    host: hop.ip,
    port: hop.nodePort,
    ...(options.source === undefined ? {} : { localAddress: options.source }),
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: options.keepAliveMs,
    onread: {
      buffer: () => buffers.next(),
      callback: (bytes, buffer) => {
        buffers.took(bytes, buffer)
        // A buffer whose write failed is left to the collector: somebody may still hold it.
        return client.write(buffer.subarray(0, bytes), (error) => {
          if (!error) releaseBuffer(buffer)
        })
      },
    },
  })
  const timer = setTimeout(
    () => node.destroy(new Error(`no answer within ${timeoutMs} ms`)),
    timeoutMs,
  )
  const fail = (error: Error): void => {
    clearTimeout(timer)
    reject(error)
  }
  node.once('error', fail)
  node.once('connect', () => {
    clearTimeout(timer)
    node.off('error', fail)
    resolve(node)
  })
  return promise
}
