// A kernel edge, in the namespace it is started in, that changes nodes, weights and ranges without end and never
// leaves the lab's client out. It says READY when the first is in force, and goes on until it is killed.
import { silentLogger, systemClock } from '@weir/kernel'
import { createKernelPlane } from '../data-plane/kernel/kernel-plane.ts'
import { createProgramRunner } from '../data-plane/kernel/program-runner.ts'
import { desiredFor, serve, targetOf } from './kernel-edges.ts'

const nodes = ['n1', 'n2', 'n3'] as const
const options = {
  device: 'eth0',
  drainMs: 60_000,
  run: createProgramRunner().run,
  clock: systemClock,
}
const plane = await createKernelPlane({ ...options, log: silentLogger })
for (let turn = 0; ; turn += 1) {
  const left = nodes.filter((_node, number) => number !== turn % 3)
  const outcome = await serve(
    plane,
    desiredFor({
      generation: 1 + turn,
      targets: left.map((node, number) => targetOf(node, 1 + ((turn + number) % 5))),
      sourceRanges: turn % 2 === 0 ? [] : ['198.51.100.0/24', '2001:db8:c::/64'],
    }),
  )
  if (turn === 0) process.stdout.write(outcome.status === 'serving' ? 'READY\n' : outcome.problem)
}
