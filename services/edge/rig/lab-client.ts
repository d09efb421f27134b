// A client of the lab, run in a namespace of it. FLOW is `TCP|UDP ADDRESS PORT FROM FROM_PORT BYTES SENDS`: FROM an
// address of its own, or nothing, FROM_PORT the port that the first flow comes from, or 0; each flow is answered with
// so many BYTES, and UDP asks with as many as SENDS says.
// `ask COUNT FLOW` makes as many flows, one after the other, and prints what each was answered, null for nothing or too
// few bytes.
// `hold COUNT FLOW` opens flows and keeps them: for each line that comes in it sends as many bytes as that says on all of
// them and prints those that were not answered with as many by whom they were answered first: from which port, and what
// came of it.
// `knock FLOW` begins a new flow every few milliseconds until a line comes in, and prints how many were answered and
// of each that was not when it began, milliseconds after the start, from which port, and what came of it.
// `flood FLOW` sends datagrams of one flow as fast as it can until a line comes in, and prints how many; nobody need answer.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setImmediate as letOthers, setTimeout as pause } from 'node:timers/promises'

/** Longer than one packet that is sent again, since machines may be busy. */
const answerMs = 2500
/** For all that was sent to come back. */
const bulkMs = 10_000
const knockEveryMs = 20

interface Flow {
  /** What it is answered first: `POD CLIENT`, null for nothing. */
  first(): Promise<string | null>
  /** Whether the pod that answered first answers again, with so many bytes. */
  lives(bytes: number): Promise<boolean>
  end(): void
  /** `from PORT: REASON` of one that was not answered. */
  told(): string
}

/** The next thing that is said, null when that takes too long or never comes. */
const next = async (socket: Socket | UdpSocket, event: 'data' | 'message') => {
  try {
    const [said] = await once(socket, event, { signal: AbortSignal.timeout(answerMs) })
    return String(said).trim()
  } catch {
    return null
  }
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

const [what = '', ...rest] = process.argv.slice(2)
const count = what === 'knock' || what === 'flood' ? 0 : Number(rest.shift())
const [protocol, host = '', portText, from = '', ...sizes] = rest
const port = Number(portText)
const [firstPort = 0, bytes = 0, sends = 0] = sizes.map(Number)

const openTcp = (localPort: number): Flow => {
  const socket = connect({ host, port, localPort, ...(from === '' ? {} : { localAddress: from }) })
  let usedPort = localPort
  let problem = 'no answer'
  socket.on('connect', () => (usedPort = socket.localPort ?? localPort))
  // What is cut later is told by its silence.
  socket.on('error', (error) => {
    problem = error.message
    socket.destroy()
  })
  return {
    told: () => `from ${usedPort}: ${problem}`,
    first: () => next(socket, 'data'),
    lives: (size) => echo(socket, size),
    // A port that is asked from again must not wait for what may still be under way.
    end: () => void (localPort === 0 ? socket.destroy() : socket.resetAndDestroy()),
  }
}

const openUdp = (localPort: number): Flow => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('error', () => undefined)
  if (from !== '') socket.bind(localPort, from)
  else if (localPort !== 0) socket.bind(localPort)
  let said: string | null = null
  let again: string | null = null
  const say = async (size: number): Promise<string | null> => {
    const answer = next(socket, 'message')
    socket.send(String(size).padEnd(sends), port, host)
    return answer
  }
  return {
    told: () =>
      `from ${socket.address().port}: ${again === null ? 'no answer' : `${again} rather than ${said}`}`,
    first: async () => (said = await say(bytes)),
    lives: async (size) => said !== null && (again = await say(size)) === said,
    end: () => void socket.close(),
  }
}

let opened = 0
const open = (): Flow => {
  const localPort = firstPort === 0 ? 0 : firstPort + opened
  opened += 1
  return protocol === 'UDP' ? openUdp(localPort) : openTcp(localPort)
}
const tell = (said: unknown): void => void process.stdout.write(`${JSON.stringify(said)}\n`)

const askOne = async (note: (told: string) => void): Promise<string | null> => {
  const flow = open()
  const answer = await flow.first()
  const whole = answer !== null && (protocol === 'UDP' || (await flow.lives(bytes)))
  if (!whole) note(flow.told())
  flow.end()
  return whole ? answer : null
}

const ask = async (): Promise<void> => {
  const answers: (string | null)[] = []
  while (answers.length < count) answers.push(await askOne(() => undefined))
  tell(answers)
}

const hold = async (): Promise<void> => {
  const flows = Array.from({ length: count }, open)
  tell(await Promise.all(flows.map((flow) => flow.first())))
  for await (const size of createInterface({ input: process.stdin })) {
    const living = await Promise.all(flows.map((flow) => flow.lives(Number(size))))
    tell(flows.filter((_flow, at) => living[at] !== true).map((flow) => flow.told()))
  }
}

const toldToStop = (): AbortSignal => {
  const told = new AbortController()
  for (const end of ['data', 'close']) process.stdin.once(end, () => told.abort())
  return told.signal
}

const flood = async (): Promise<void> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const stop = toldToStop()
  socket.on('error', () => undefined)
  let sent = 0
  tell('flooding')
  while (!stop.aborted) {
    for (let burst = 0; burst < 64; burst += 1) socket.send('x', port, host)
    sent += 64
    await letOthers()
  }
  tell(sent)
}

const knock = async (): Promise<void> => {
  const asked: Promise<string | null>[] = []
  const failed: { readonly afterMs: number; readonly told: string }[] = []
  const started = performance.now()
  const tryOne = (): Promise<string | null> => {
    const afterMs = Math.round(performance.now() - started)
    return askOne((told) => failed.push({ afterMs, told }))
  }
  const stop = toldToStop()
  tell('knocking')
  while (!stop.aborted) {
    asked.push(tryOne())
    await pause(knockEveryMs)
  }
  await Promise.all(asked)
  tell({ answered: asked.length - failed.length, failed })
}

const acts: Readonly<Record<string, () => Promise<void>>> = { ask, hold, knock, flood }
await acts[what]?.()
// Not before all is out that was told.
process.stdout.write('', () => process.exit(0))
