// npm run chaos: the whole platform as real processes, users who never stop, everything that can go wrong;
// then peace, and a verdict from outside.
import { readArguments, usage } from './arguments.ts'
import { runChaos } from './run.ts'

const words = process.argv.slice(2)
if (words.includes('--help')) {
  console.log(usage)
  process.exit(0)
}
const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => stopping.abort(new Error(`stopped by ${signal}`)))
}
// What nobody caught is a fault of this program; what runs must end all the same.
process.on('uncaughtException', (error) => stopping.abort(error))
process.on('unhandledRejection', (error) => stopping.abort(error))
try {
  process.exitCode = await runChaos(readArguments(words), stopping.signal)
} catch (error) {
  console.error(error instanceof Error ? (error.stack ?? error.message) : String(error))
  process.exitCode = 2
}
// Whatever still holds the loop is ours and over: sockets to servers that are gone.
process.exit()
