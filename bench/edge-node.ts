// The node of the edge bench, a process of its own: a TCP server on a node port whose first byte says
// what to do, and a health port that says yes. Arguments: address, node port, health port.
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'

const [address = '', nodePort = '', healthPort = ''] = process.argv.slice(2)
const block = Buffer.alloc(262_144, 'weir')

const download = (socket: Socket): void => {
  const more = (): void => {
    while (!socket.destroyed && socket.write(block));
  }
  socket.on('drain', more)
  more()
}
const serve = (socket: Socket, first: Buffer): void => {
  switch (String.fromCharCode(first[0] ?? 0)) {
    case 'D':
      return download(socket)
    case 'U':
      return void socket.resume()
    case 'E':
      socket.write(first)
      return void socket.on('data', (chunk) => socket.write(chunk))
    default:
      socket.end('hello\n')
  }
}

createHttpServer((_request, response) => response.end('{}')).listen(Number(healthPort), address)
createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (first: Buffer) => serve(socket, first))
}).listen({ port: Number(nodePort), host: address, backlog: 4_096 }, () => process.send?.('ready'))
