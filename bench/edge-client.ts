// The client of the edge bench, a process of its own: does one measurement per message and answers with
// its numbers.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { quantile } from './numbers.ts'

/** What to measure, and against whom. */
export interface Task {
  readonly kind: 'download' | 'upload' | 'latency' | 'connections'
  readonly host: string
  readonly port: number
  readonly seconds: number
}

/** Gigabits or connections per second, or the 50th and 99th percentile in microseconds. */
export type Measured = Readonly<Record<string, number>>

const microseconds = (): number => Number(process.hrtime.bigint()) / 1_000
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const buffer = Buffer.alloc(262_144)
const block = Buffer.alloc(262_144, 'weir')

const open = (task: Task, onRead: (bytes: number) => void, from?: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect({
      host: task.host,
      port: task.port,
      noDelay: true,
      ...(from === undefined ? {} : { localAddress: from }),
      onread: {
        buffer,
        callback: (bytes) => {
          onRead(bytes)
          return true
        },
      },
    })
    socket.on('error', reject)
    socket.once('connect', () => resolve(socket))
  })

/** Bytes per time after a fifth of a second of warming up. */
const rate = async (task: Task, bytes: () => number): Promise<Measured> => {
  await pause(200)
  const [before, began] = [bytes(), microseconds()]
  await pause(task.seconds * 1_000)
  return { gigabits: ((bytes() - before) * 8) / (microseconds() - began) / 1_000 }
}

const download = async (task: Task): Promise<Measured> => {
  let bytes = 0
  const socket = await open(task, (more) => (bytes += more))
  socket.write('D')
  const measured = await rate(task, () => bytes)
  socket.destroy()
  return measured
}

const upload = async (task: Task): Promise<Measured> => {
  const socket = await open(task, () => undefined)
  socket.write('U')
  const more = (): void => {
    while (!socket.destroyed && socket.write(block));
  }
  socket.on('drain', more)
  more()
  const measured = await rate(task, () => socket.bytesWritten - socket.writableLength)
  socket.destroy()
  return measured
}

/** Sixty-four bytes there and back, one after the other, on one connection. */
const latency = async (task: Task): Promise<Measured> => {
  let back: () => void = () => undefined
  const socket = await open(task, () => back())
  const payload = Buffer.alloc(64, 'E')
  const times: number[] = []
  for (const end = microseconds() + task.seconds * 1e6; microseconds() < end;) {
    const began = microseconds()
    const answered = new Promise<void>((resolve) => (back = resolve))
    socket.write(payload)
    await answered
    times.push(microseconds() - began)
  }
  socket.destroy()
  // The first ones warm everything up.
  const settled = times.slice(100)
  return { p50: quantile(settled, 0.5), p99: quantile(settled, 0.99) }
}

/** SYNs the kernel had to send again: a rate with many of them measures the kernel's tables. */
const retransmits = (): number => {
  const [names = [], values = []] = readFileSync('/proc/net/netstat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '))
  return Number(values[names.indexOf('TCPSynRetrans')] ?? 0)
}

/** Connect, one byte, one line, close; sixteen at a time from sixteen addresses. */
const connections = async (task: Task): Promise<Measured> => {
  let count = 0
  const [before, began] = [retransmits(), microseconds()]
  const end = began + task.seconds * 1e6
  const one = async (from: string): Promise<void> => {
    const socket = await open(task, () => undefined, from)
    socket.write('C')
    await new Promise((resolve) => socket.once('close', resolve))
    count += 1
  }
  const worker = async (_: unknown, index: number): Promise<void> => {
    while (microseconds() < end) await one(`127.0.1.${index + 1}`)
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  return {
    perSecond: (count * 1e6) / (microseconds() - began),
    synRetransmits: retransmits() - before,
  }
}

const kinds = { download, upload, latency, connections }
process.on('message', (task: Task) => {
  void kinds[task.kind](task).then((measured) => process.send?.(measured))
})
process.send?.('ready')
