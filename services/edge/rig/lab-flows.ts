import { join } from 'node:path'
import type { RunProgram } from '../data-plane/kernel/run-program.ts'

/** Where pods of the lab listen, and Services unless it is said. */
export const vipPort = 8080

export interface Asking {
  readonly protocol: 'TCP' | 'UDP'
  readonly address: string
  /** `vipPort` unless it is said. */
  readonly port?: number
  /** The address that the client asks from; which of its own does not matter unless it is said. */
  readonly from?: string
  /** The port that the first flow is asked from, the next for the one after it; any unless it is said. */
  readonly fromPort?: number
  readonly count?: number
  /** How much is answered; next to nothing unless said. */
  readonly bytes?: number
  /** How big a datagram asks. TCP sends what it is answered. */
  readonly sends?: number
}

/** A flow that was not answered. */
export interface Unanswered {
  /** When it began, milliseconds after the first flow. */
  readonly afterMs: number
  /** Such as `from 40001: no answer`. */
  readonly told: string
}

export interface Knocking {
  /** Ends it; how many flows were answered, and those that were not. */
  stop(): Promise<{ readonly answered: number; readonly failed: readonly Unanswered[] }>
}

export interface Held {
  /** What each connection was answered first. */
  readonly answers: readonly (string | null)[]
  /** How many of them still answer, each from where it did first. */
  alive(): Promise<number>
  /** Those that do not, such as `from 40001: no answer`. */
  lost(): Promise<readonly string[]>
  /** Sends so many bytes on each and has them back; how many of the connections had all. */
  send(bytes: number): Promise<number>
  /** Ends them before the lab does. */
  end(): void
}

/** What flows are answered that begin where `run` runs programs. */
export const askFrom = async (
  run: RunProgram,
  flow: Asking,
): Promise<readonly (string | null)[]> => {
  const argv = [
    process.execPath,
    join(import.meta.dirname, 'lab-client.ts'),
    'ask',
    String(flow.count ?? 1),
  ]
  return JSON.parse(await run([...argv, ...wordsOf(flow)]))
}

/** A flow as `lab-client.ts` reads it. */
export const wordsOf = (flow: Asking): string[] => {
  const { protocol, address, port = vipPort, from = '', fromPort = 0, bytes = 0, sends = 0 } = flow
  return [protocol, address, String(port), from, ...[fromPort, bytes, sends].map(String)]
}
