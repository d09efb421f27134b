import { explainError } from '@weir/kernel'
import { Agent, get, type ClientRequest } from 'node:http'
import { readAnswer, type ProbeAnswer } from '../domain/health.ts'

/** One thing to ask of one node. */
export interface Probe {
  readonly ip: string
  readonly port: number
  readonly path: string
  /** Whether the answer tells how many ready pods the node has. */
  readonly weightFromHeader: boolean
}

/** Asks nodes over connections that are kept for a while. */
export interface NodeAsker {
  /**
   * Never rejects; no answer within `timeoutMs` is an answer too. `key` names the probe; it may have one
   * question under way at most.
   */
  ask(key: string, probe: Probe): Promise<ProbeAnswer>
  /** Nobody asks this any more. */
  forget(key: string): void
}

/** kube-proxy's answers have some hundred bytes; more is not one of them. */
const bodyMax = 4_096
/**
 * A connection is used for so many questions, and only while each answer is ready and as the one before.
 *
 * kube-proxy closes its connections with its port (Go's `Server.Close`), and a process that dies does too,
 * but others may stop listening and go on answering old friends, and a firewall may shut out strangers
 * alone. So every fifth question is a stranger's, and after anything else than "ready as before" the next.
 * Kept for ever would be little cheaper: of 1,000 nodes asked every 2 s, a connection each took 448 us of
 * processor time per question here, one for five 423, one for all 392; a node's side 226, 165, 158. What
 * counts is the node's conntrack: it remembers a connection for two minutes, so 1,000 Services under
 * `Local` asked by four edges were 240,000 entries there of the 262,144 it has, and are 48,000.
 */
const questionsPerConnection = 5
/** Most connections kept, each a file descriptor; beyond that each question has its own. */
const keptMost = 4_096

interface Kept {
  readonly agent: Agent
  readonly left: number
  /** The answer that each of its answers was. */
  readonly weight: number | null
}

export const createNodeAsker = (timeoutMs: number): NodeAsker => {
  const kept = new Map<string, Kept>()
  const forget = (key: string): void => {
    kept.get(key)?.agent.destroy()
    kept.delete(key)
  }
  const keep = (key: string, { agent, left, weight }: Kept): void => {
    if (left > 0 && (kept.has(key) || kept.size < keptMost)) kept.set(key, { agent, left, weight })
    else forget(key)
  }
  return {
    forget,
    ask: async (key, probe) => {
      const before = kept.get(key)
      const agent = before?.agent ?? new Agent({ keepAlive: true, maxSockets: 1 })
      const answer = await askOn(agent, probe, timeoutMs)
      const isSame = answer.kind === 'ready' && (!before || before.weight === answer.weight)
      const left = isSame ? (before?.left ?? questionsPerConnection) - 1 : 0
      keep(key, { agent, left, weight: isSame ? answer.weight : null })
      if (kept.get(key)?.agent !== agent) agent.destroy()
      return answer
    },
  }
}

const askOn = (agent: Agent, probe: Probe, timeoutMs: number): Promise<ProbeAnswer> => {
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>()
  let timedOut = false
  let request: ClientRequest
  const timer = setTimeout(() => {
    timedOut = true
    request.destroy(new Error(`no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  const finish = (answer: ProbeAnswer): void => {
    clearTimeout(timer)
    resolve(answer)
  }
  const fail = (error: unknown): void =>
    finish({ kind: 'silent', problem: explainError(error).slice(0, 300), timedOut })
  const send = (): ClientRequest => {
    const { ip: host, port, path } = probe
    const sent = get({ host, port, path, agent, headers: { 'user-agent': 'weir-edge' } })
    sent.on('error', (error) => {
      // Closed by the node while nobody asked: that says nothing, a connection of its own will tell.
      if (sent.reusedSocket && !timedOut) request = send()
      else fail(error)
    })
    sent.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        if (body.length < bodyMax) body += text
      })
      response.on('error', fail)
      response.on('end', () => {
        const header = response.headers['x-load-balancing-endpoint-weight']
        const weightHeader = Array.isArray(header) ? header[0] : header
        const status = response.statusCode ?? 0
        finish(readAnswer({ status, weightHeader, body }, probe.weightFromHeader))
      })
    })
    return sent
  }
  request = send()
  return promise
}
