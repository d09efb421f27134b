// A client of a load balancer: real sockets, from an address of its own.
import { createSocket } from 'node:dgram'
import { request } from 'node:http'

export interface Door {
  readonly address: string
  readonly port: number
  /** The client's own address, such as 127.0.0.7. */
  readonly from?: string
}

const answerMs = 2_000

/** One request on a connection of its own; rejects when nobody answers. */
export const askHttp = ({ address, port, from }: Door, path = '/'): Promise<string> =>
  new Promise((resolve, reject) => {
    const local = from === undefined ? {} : { localAddress: from }
    const asked = request(
      { host: address, port, path, agent: false, timeout: answerMs, ...local },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (part: string) => (text += part))
        answer.on('end', () => resolve(text)).on('error', reject)
      },
    )
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${answerMs} ms`)))
    asked.on('error', reject).end()
  })

/** One datagram and its answer; rejects when none comes. */
export const askUdp = ({ address, port, from }: Door): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    const finish = (end: () => void): void => {
      clearTimeout(timer)
      socket.close()
      end()
    }
    const late = new Error(`no answer within ${answerMs} ms`)
    const timer = setTimeout(() => finish(() => reject(late)), answerMs)
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('message', (answer) => finish(() => resolve(answer.toString())))
    socket.bind(0, from, () => socket.send('hello\n', port, address))
  })

/** Whether nobody answers behind a door; a door that is shut rejects at once. */
export const isSilent = async (door: Door): Promise<boolean> =>
  askHttp(door).then(
    () => false,
    () => true,
  )

/** What an echo pod said of one connection. */
export const factIn = (answer: string, fact: 'pod' | 'node' | 'client'): string => {
  const found = new RegExp(`${fact}=(\\S+)`).exec(answer)?.[1] ?? ''
  return fact === 'client' ? found.replace(/:\d+$/, '') : found
}

/** New connections to a door, one after the other, until it is told to stop. */
export interface Traffic {
  /** Ends it; how many connections were answered, and the words of each that was not. */
  stop(): Promise<{ readonly answered: number; readonly failed: readonly string[] }>
}

export const startTraffic = (door: Door): Traffic => {
  let answered = 0
  const stopping = new AbortController()
  const failed: string[] = []
  const knock = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await askHttp(door)
        answered += 1
      } catch (error) {
        failed.push(error instanceof Error ? error.message : String(error))
      }
      await new Promise((next) => setTimeout(next, 10))
    }
  }
  const knocking = knock()
  return {
    stop: async () => {
      stopping.abort()
      await knocking
      return { answered, failed }
    },
  }
}
