// A client of the lab, run in its namespace. `ask PROTOCOL ADDRESS PORT COUNT BYTES SENDS` makes as many
// flows, one after the other, each answered with so many bytes (and UDP asking with so many), and prints what
// each was answered, null for nothing or too few. `hold ADDRESS PORT COUNT` opens connections and
// keeps them: for each line that comes in it sends as many bytes as that says on all of them and prints how many
// were answered with as many.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

/** Longer than one packet that is sent again, since machines may be busy. */
const answerMs = 2500
/** For all that was sent to come back. */
const bulkMs = 10_000

/** The next thing that is said, null when that takes too long or never comes. */
const next = async (socket: Socket | UdpSocket, event: 'data' | 'message') => {
  try {
    const [said] = await once(socket, event, { signal: AbortSignal.timeout(answerMs) })
    return String(said).trim()
  } catch {
    return null
  }
}

const askTcp = async ({ host, port, bytes }: Asked): Promise<string | null> => {
  const socket = connect({ host, port })
  const answer = await next(socket, 'data')
  socket.on('error', () => socket.destroy())
  const whole = answer !== null && (await echo(socket, bytes))
  socket.destroy()
  return whole ? answer : null
}

/** Sends so many bytes; whether as many came back in time. */
const echo = (socket: Socket, bytes: number): Promise<boolean> =>
  new Promise((resolve) => {
    let left = bytes
    const take = (more: Buffer): void => {
      left -= more.length
      if (left <= 0) end(true)
    }
    const end = (whole: boolean): void => {
      clearTimeout(timer)
      socket.off('data', take)
      resolve(whole)
    }
    const timer = setTimeout(end, bytes > 1000 ? bulkMs : answerMs, false)
    socket.on('data', take)
    if (bytes === 0) end(true)
    else socket.write(Buffer.alloc(bytes, 'x'))
  })

const askUdp = async ({ host, port, bytes, sends }: Asked): Promise<string | null> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.send(String(bytes).padEnd(sends), port, host)
  const answer = await next(socket, 'message')
  socket.close()
  return answer
}

interface Asked {
  readonly host: string
  readonly port: number
  readonly bytes: number
  readonly sends: number
}

const hold = async (host: string, port: number, count: number): Promise<void> => {
  const sockets = Array.from({ length: count }, () => connect({ host, port }))
  // What is cut later is told by its silence.
  for (const socket of sockets) socket.on('error', () => socket.destroy())
  const nodes = await Promise.all(sockets.map((socket) => next(socket, 'data')))
  process.stdout.write(`${JSON.stringify(nodes)}\n`)
  for await (const bytes of createInterface({ input: process.stdin })) {
    const whole = await Promise.all(sockets.map((socket) => echo(socket, Number(bytes))))
    process.stdout.write(`${whole.filter(Boolean).length}\n`)
  }
}

const [what, ...rest] = process.argv.slice(2)
if (what === 'hold') {
  const [host = '', port, count] = rest
  await hold(host, Number(port), Number(count))
  process.exit(0)
} else {
  const [protocol, host = '', port, count, ...sizes] = rest
  const [bytes = 0, sends = 0] = sizes.map(Number)
  const answers: (string | null)[] = []
  for (let flow = 0; flow < Number(count); flow += 1) {
    const ask = protocol === 'UDP' ? askUdp : askTcp
    answers.push(await ask({ host, port: Number(port), bytes, sends }))
  }
  process.stdout.write(JSON.stringify(answers))
}
