import type { EventLog } from '@weir/eventlog'
import type { Metrics } from '@weir/runtime'

/** Intents in flight that are timed; more are not, since a restart forgets them anyway. */
const timedAtMost = 20_000

/**
 * The log, timing each resource from the record of what is intended to the record that it is there. What
 * was intended by another process, or before a restart, is not timed.
 */
export const timeProgramming = (log: EventLog, metrics: Pick<Metrics, 'stage'>): EventLog => {
  const intendedAt = new Map<string, number>()
  return {
    ...log,
    append: async (request) => {
      const outcome = await log.append(request)
      if (outcome.status !== 'appended') return outcome
      for (const { type, data, subject, recordedtime } of outcome.events) {
        const at = Date.parse(recordedtime)
        if (type === 'ResourceIntended' || type === 'TargetsChanged') {
          const name = `${subject} ${data.generation}`
          if (intendedAt.size < timedAtMost) intendedAt.set(name, at)
        } else if (type === 'ResourceProgrammed') {
          const name = `${subject} ${data.generation}`
          const since = intendedAt.get(name)
          if (since !== undefined) metrics.stage('intended-to-programmed', (at - since) / 1000)
          intendedAt.delete(name)
        }
      }
      return outcome
    },
  }
}
