// A client of the lab, run in its namespace. `ask PROTOCOL ADDRESS PORT COUNT` makes as many flows, one after
// the other, and prints what each was answered, null for none. `hold ADDRESS PORT COUNT` opens connections and
// keeps them: for each line that comes in it sends something on all of them and prints how many answered.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** Longer than one packet that is sent again, since machines may be busy. */
const answerMs = 2500

/** The next thing that is said, null when that takes too long or never comes. */
const next = async (socket: Socket | UdpSocket, event: 'data' | 'message') => {
  try {
    const [said] = await once(socket, event, { signal: AbortSignal.timeout(answerMs) })
    return String(said).trim()
  } catch {
    return null
  }
}

const askTcp = async (host: string, port: number): Promise<string | null> => {
  const socket = connect({ host, port })
  const answer = await next(socket, 'data')
  socket.destroy()
  return answer
}

const askUdp = async (host: string, port: number): Promise<string | null> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.send('hello', port, host)
  const answer = await next(socket, 'message')
  socket.close()
  return answer
}

const hold = async (host: string, port: number, count: number): Promise<void> => {
  const sockets = Array.from({ length: count }, () => connect({ host, port }))
  // What is cut later is told by its silence.
  for (const socket of sockets) socket.on('error', () => socket.destroy())
  const nodes = await Promise.all(sockets.map((socket) => next(socket, 'data')))
  process.stdout.write(`${JSON.stringify(nodes)}\n`)
  for await (const _ of createInterface({ input: process.stdin })) {
    const answers = await Promise.all(
      sockets.map((socket) => {
        socket.write('still here\n')
        return next(socket, 'data')
      }),
    )
    process.stdout.write(`${answers.filter((answer) => answer !== null).length}\n`)
  }
}

const [what, ...rest] = process.argv.slice(2)
if (what === 'hold') {
  const [host = '', port, count] = rest
  await hold(host, Number(port), Number(count))
  process.exit(0)
} else {
  const [protocol, host = '', port, count] = rest
  const answers: (string | null)[] = []
  for (let flow = 0; flow < Number(count); flow += 1) {
    const ask = protocol === 'UDP' ? askUdp : askTcp
    answers.push(await ask(host, Number(port)))
  }
  process.stdout.write(JSON.stringify(answers))
}
