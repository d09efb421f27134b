// Run in an edge's namespace: `node storm.ts FRONTENDS PER_SECOND SECONDS`. Serves so many frontends and the
// lab's own Service, prints `ready`, waits for a line, then makes changes at a pace: Services come and go, and nodes
// leave clusters and come back, the lab's own among them. Prints what came of it as JSON.
import { createInterface } from 'node:readline'
import { once } from 'node:events'
import type { KernelPlane } from '../../services/edge/data-plane/kernel/kernel-plane.ts'
import { answeredService, openPlane, range, serveAll, serviceAt, timed } from './world.ts'

const [size, perSecond, seconds] = process.argv.slice(2).map(Number)
if (size === undefined || perSecond === undefined || seconds === undefined) {
  throw new Error('say how many frontends, changes per second and seconds')
}
const plane = await openPlane()
await serveAll(plane, [answeredService(), ...range(0, size).map((at) => serviceAt(at))])
process.stdout.write('ready\n')
await once(createInterface({ input: process.stdin }), 'line')

/** Change number `at`: of ten, four Services come, four go, one cluster changes, and now and then ours does. */
const change = async (on: KernelPlane, at: number): Promise<void> => {
  const [turn, kind] = [Math.floor(at / 10), at % 10]
  if (kind < 4) return serveAll(on, [serviceAt(size + turn * 4 + kind)])
  if (kind < 8) return on.remove(serviceAt(size + (turn - 50) * 4 + kind - 4).marks.key)
  if (kind === 8) return serveAll(on, [serviceAt(turn % size, 2 + (turn % 2))])
  return serveAll(on, [answeredService(2 + (turn % 2))])
}

const took: number[] = []
const changes: Promise<void>[] = []
const began = performance.now()
while (changes.length < perSecond * seconds) {
  const due = Math.min(((performance.now() - began) / 1000) * perSecond, perSecond * seconds)
  for (; changes.length < due;) {
    const at = changes.length
    changes.push(timed(() => change(plane, at)).then((ms) => void took.push(ms)))
  }
  await new Promise((resolve) => setTimeout(resolve, 5))
}
await Promise.all(changes)
const ms = performance.now() - began
const differed = await plane.verify()
await plane.close()
const said = `${JSON.stringify({ made: took.length, ms, took, differed })}\n`
// A pipe takes less at once than all these times.
process.stdout.write(said, () => process.exit(0))
