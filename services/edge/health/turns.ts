import { createKeyedQueue, type Clock } from '@weir/kernel'
import type { ProbeAnswer } from '../domain/health.ts'
import { createNodeAsker, type Probe } from './ask-node.ts'

/**
 * Asks each node one thing at a time. A node may have as many health ports as a cluster has Services: all
 * asked at once would be a burst to it, and all waited for in turn would take an hour once it is off. So
 * a node that left two different ports unanswered, with no answer of it between, is mute: whoever waited
 * meanwhile takes that as the answer, and one probe at a time goes on asking.
 */
export interface Turns {
  /** Never rejects. `key` names the probe; each has one question under way at most. */
  ask(key: string, probe: Probe): Promise<ProbeAnswer>
  /** Nobody asks this any more. */
  forget(key: string): void
}

/** Most probes under way at once, so most sockets. */
const concurrency = 512

/** Most mute nodes remembered; of one that is forgotten two ports are asked anew. */
const muteMost = 10_000

/** What a node did not answer of late. */
interface Unanswered {
  /** Two different ones at most: more would tell no more. */
  readonly keys: ReadonlySet<string>
  readonly answer: ProbeAnswer
  /** Milliseconds since the Unix epoch. */
  readonly at: number
}

export const createTurns = (options: {
  readonly clock: Clock
  readonly timeoutMs: number
}): Turns => {
  const { clock, timeoutMs } = options
  const queue = createKeyedQueue(concurrency)
  const asker = createNodeAsker(timeoutMs)
  const unanswered = new Map<string, Unanswered>()

  const note = (key: string, { ip }: Probe, answer: ProbeAnswer): void => {
    const timedOut = answer.kind === 'silent' && answer.timedOut === true
    if (!timedOut) return void unanswered.delete(ip)
    const before = [...(unanswered.get(ip)?.keys ?? [])].filter((known) => known !== key)
    unanswered.set(ip, { keys: new Set([...before.slice(-1), key]), answer, at: clock.now() })
    const [oldest] = unanswered.keys()
    if (unanswered.size > muteMost && oldest !== undefined) unanswered.delete(oldest)
  }
  const answerOf = async (key: string, probe: Probe, since: number): Promise<ProbeAnswer> => {
    const known = unanswered.get(probe.ip)
    if (known !== undefined && known.keys.size > 1 && known.at >= since) return known.answer
    const answer = await asker.ask(key, probe)
    note(key, probe, answer)
    return answer
  }
  return {
    forget: (key) => asker.forget(key),
    ask: (key, probe) => {
      const since = clock.now()
      return queue.run(probe.ip, () => answerOf(key, probe, since))
    },
  }
}
