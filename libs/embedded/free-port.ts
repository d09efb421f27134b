import { createServer } from 'node:net'
import { OperatingError } from '@weir/kernel'

/** A TCP port on 127.0.0.1 that nobody listens on now. Another process may still take it first. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address !== null && typeof address === 'object') resolve(address.port)
      else reject(new OperatingError('cannot pick a free port on 127.0.0.1'))
    })
  })
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

/** Refuses a port that somebody listens on, before a server says so in its own words. */
export const assertPortFree = async (port: number, wantedFor: string): Promise<void> => {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new OperatingError(
          `${wantedFor} cannot listen on 127.0.0.1:${port}; free that port or choose another`,
          { cause },
        ),
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  await new Promise<void>((resolve) => server.close(() => resolve()))
}
