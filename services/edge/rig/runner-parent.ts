// What an agent is to the process that runs its programs. It prints that one's id; for a line that comes in, it has it run
// `touch LINE`, says SENT and waits for nothing.
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { createProgramRunner } from '../data-plane/kernel/program-runner.ts'

const { run } = createProgramRunner()
process.stdout.write(await run(['sh', '-c', 'echo $PPID']))
const [file] = await once(createInterface({ input: process.stdin }), 'line')
const touching = run(['touch', String(file)])
process.stdout.write('SENT\n')
await touching
