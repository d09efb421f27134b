// A real octavia-api to try things on by hand, and for long runs: prints where it is as one line of JSON, and
// ends with everything it started on SIGTERM or Ctrl-C.
//
//   node libs/drivers/octavia/rig/main.ts [--delay MS] [--errors SHARE] [--stuck SHARE] [--faults SHARE]
//
// A load balancer leaves PENDING after up to `delay` milliseconds; a share of `errors` becomes ERROR instead,
// a share of `stuck` stays PENDING for a minute. A share of `faults` of all changes is answered 503 or 409, or
// its connection breaks before its effect or after it.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createFlipper, type FateOf } from './flipper.ts'
import { isChange, startFront, type Trouble } from './front.ts'
import { missingPrograms, startOctavia } from './servers.ts'
import { createTurns } from './turns.ts'

const { values } = parseArgs({
  options: {
    delay: { type: 'string', default: '300' },
    errors: { type: 'string', default: '0' },
    stuck: { type: 'string', default: '0' },
    faults: { type: 'string', default: '0' },
  },
})

const stuckMs = 60_000
const flipEveryMs = 50

/** When each PENDING state was first seen, and what becomes of it then. */
const decided = new Map<string, { readonly at: number; readonly fate: 'finish' | 'fail' }>()

const decide = (): { readonly at: number; readonly fate: 'finish' | 'fail' } => {
  const isStuck = Math.random() < Number(values.stuck)
  const afterMs = isStuck ? stuckMs : Math.random() * Number(values.delay)
  const fate = Math.random() < Number(values.errors) ? 'fail' : 'finish'
  return { at: performance.now() + afterMs, fate }
}

const fateOf: FateOf = ({ id, status }) => {
  const key = `${id} ${status}`
  const mine = decided.get(key) ?? decide()
  if (performance.now() < mine.at) {
    decided.set(key, mine)
    return 'never'
  }
  decided.delete(key)
  return mine.fate
}

const fault = (): Trouble => {
  const answer = (status: number, words: string): Trouble => ({
    meets: 'answer',
    status,
    body: JSON.stringify({ faultcode: 'Server', faultstring: words }),
  })
  const all: readonly Trouble[] = [
    { meets: 'no-effect' },
    { meets: 'lost-reply' },
    answer(503, 'Project busy. Unable to lock the project. Please try again.'),
    answer(409, 'Load Balancer is immutable and cannot be updated.'),
  ]
  return all[Math.floor(Math.random() * all.length)] ?? { meets: 'no-effect' }
}

const missing = missingPrograms()
if (missing !== null) {
  process.stderr.write(`${missing}\n`)
  process.exit(1)
}
const ending = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort())

const servers = await startOctavia()
const front = await startFront(createTurns(servers.endpoints))
const flipper = createFlipper(servers.statusSocket, servers.databaseSocket)
front.whenever((call) =>
  isChange(call) && Math.random() < Number(values.faults) ? fault() : undefined,
)
process.stdout.write(
  `${JSON.stringify({
    endpoint: front.endpoint,
    /** Past the front, for whoever checks what there is. */
    direct: servers.endpoints[0],
    projectId: randomUUID().replaceAll('-', ''),
    vipSubnetId: randomUUID(),
  })}\n`,
)
while (!ending.signal.aborted) {
  await flipper.flip({ fateOf }).catch((error: unknown) => {
    process.stderr.write(`cannot flip: ${String(error)}\n`)
  })
  await sleep(flipEveryMs, undefined, { signal: ending.signal }).catch(() => undefined)
}
flipper.stop()
await front.stop()
await servers.stop()
