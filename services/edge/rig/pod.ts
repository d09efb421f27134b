// A process that answers on the addresses of a Service, as a pod behind kube-proxy does: run by the lab in a
// node's namespace as `node pod.ts NODE ADDRESS,ADDRESS PORT`. It says which node it is and whom it sees, sends TCP back, and
// answers UDP with as many bytes as the datagram says.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

const [node = '', addresses = '', port = ''] = process.argv.slice(2)

const listening = addresses.split(',').flatMap((host) => {
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.write(`${node} ${socket.remoteAddress ?? ''}\n`)
    socket.pipe(socket)
  })
  const six = host.includes(':')
  const udp = createSocket({ type: six ? 'udp6' : 'udp4', ipv6Only: six })
  udp.on('message', (asked, from) => {
    const answer = `${node} ${from.address}`.padEnd(Number(asked.toString()))
    udp.send(answer, from.port, from.address)
  })
  return [
    new Promise<void>((resolve) =>
      tcp.listen({ host, port: Number(port), ipv6Only: true }, resolve),
    ),
    new Promise<void>((resolve) => udp.bind({ address: host, port: Number(port) }, resolve)),
  ]
})
// Whoever started it may be killed.
process.stdin.on('close', () => process.exit(0)).resume()
await Promise.all(listening)
process.stdout.write('ready\n')
