import { connect } from 'node:net'

/** What came of asking a load balancer until it answered. */
export interface Answered {
  /** When the first byte of an HTTP answer came, by `performance.now()`. */
  readonly at: number
  /** Tries that were refused or cut before. */
  readonly failures: number
}

const pauseMs = 5
const patienceMs = 60_000

/** Connects and asks until there is an answer. @throws Error after a minute without one. */
export const untilAnswered = async (host: string, port: number): Promise<Answered> => {
  const end = performance.now() + patienceMs
  for (let failures = 0; performance.now() < end; failures += 1) {
    const at = await ask(host, port)
    if (at !== undefined) return { at, failures }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  throw new Error(`${host}:${port} did not answer within a minute`)
}

const ask = (host: string, port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true })
    const end = (at: number | undefined): void => {
      socket.destroy()
      resolve(at)
    }
    socket.setTimeout(2_000, () => end(undefined))
    socket.once('error', () => end(undefined))
    socket.once('close', () => end(undefined))
    socket.once('connect', () => socket.write('GET / HTTP/1.1\r\nHost: bench\r\n\r\n'))
    socket.once('data', (data) => {
      end(data.toString('latin1').startsWith('HTTP/1.1 200') ? performance.now() : undefined)
    })
  })
