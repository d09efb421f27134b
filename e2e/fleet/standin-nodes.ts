import { createServer } from 'node:http'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { DesiredResource, ResourceFrontend, Target } from '@weir/contract'
import { eventually } from '@weir/testing'
import type { Serving } from '../../libs/drivers/driver.conformance.ts'
import { listenTcp, listenUdp, type Opened } from '../../services/edge/rig/sockets.ts'

/**
 * Nodes of this machine, each on a loopback address of its own, for as long as a file's tests run. A node
 * answers flows to a node port with where they came to and whether a PROXY header was before them, and
 * says that it is well to whoever asks at any health port.
 */
export interface StandinNodes {
  readonly targets: readonly Target[]
  /** Answers at these node ports from now on. */
  answerAt(frontends: readonly ResourceFrontend[]): Promise<void>
  /** The question about health that nodes are asked now; what is ordered where no node is to be asked. */
  askedBy(desired: DesiredResource): Promise<Serving['health']>
  close(): Promise<void>
}

/** Every port that the suite's resources name for health. */
const healthPorts = [10_256, 31_000, 31_001]
/** What a connection with a PROXY protocol v2 header begins with. */
const proxySignature = Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10])

export const createStandinNodes = async (targets: readonly Target[]): Promise<StandinNodes> => {
  const opened = new Map<string, Promise<Opened>>()
  let asked = new Set<string>()
  const note = (question: string): void => void asked.add(question)
  for (const { ip } of targets) {
    for (const port of healthPorts) opened.set(`${ip} ${port}`, listenHealth({ ip, port }, note))
  }
  await Promise.all(opened.values())

  const open = (ip: string, { protocol, nodePort }: ResourceFrontend): Promise<Opened> => {
    const port = nodePort ?? 0
    return protocol === 'UDP'
      ? listenUdp(ip, port, () => `${ip} ${port} none`)
      : listenTcp(ip, port, (socket) => answer(socket, `${ip} ${port}`))
  }
  return {
    targets,
    answerAt: async (frontends) => {
      const ports = frontends.filter(({ nodePort }) => nodePort !== undefined)
      for (const { ip } of targets) {
        for (const at of ports) {
          const place = `${ip} ${at.protocol} ${at.nodePort ?? 0}`
          if (!opened.has(place)) opened.set(place, open(ip, at))
        }
      }
      await Promise.all(opened.values())
    },
    askedBy: ({ targets: wanted, health }) =>
      wanted.length === 0
        ? Promise.resolve({ port: health.port, path: health.path })
        : eventually(async () => {
            asked = new Set()
            await eventually(() => asked.size > 0)
            const [only = '', ...more] = asked
            const [port, path = ''] = only.split(' ')
            // What an order before asked for may be on its way still.
            return more.length === 0 && { port: Number(port), path }
          }),
    close: async () => {
      await Promise.all([...opened.values()].map(async (each) => (await each).close()))
    },
  }
}

/** Waits for the client's end, so that a header is seen that comes late. */
const answer = (socket: Socket, place: string): void => {
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.on('end', () => {
    const begin = Buffer.concat(heard).subarray(0, proxySignature.length)
    socket.end(`${place} ${begin.equals(proxySignature) ? 'v2' : 'none'}`)
  })
}

const listenHealth = async (
  { ip, port }: { readonly ip: string; readonly port: number },
  note: (question: string) => void,
): Promise<Opened> => {
  const server = createServer((request, response) => {
    note(`${port} ${request.url ?? ''}`)
    response.end()
  })
  server.listen(port, ip)
  await once(server, 'listening')
  return {
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
