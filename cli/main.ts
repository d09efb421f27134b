#!/usr/bin/env node
import { Command } from 'commander'
import { CommandFailed, exitCodes, exitCodesHelp } from './exit.ts'
import { addCommands } from './commands/all.ts'

const program = new Command('weir')
  .description('Load balancers for Kubernetes Services: start, look, explain')
  .version('0.1.0')
  .showHelpAfterError()
  .exitOverride()
  .addHelpText('after', exitCodesHelp)

addCommands(program)

// Whoever reads us may stop early, as `head` does; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = await codeOf(error)
}

async function codeOf(error: unknown): Promise<number> {
  const { bad, tell } = await import('./output.ts')
  if (error instanceof CommandFailed) {
    bad(error.message)
    if (error.hint !== undefined) tell(`  ${error.hint}`)
    return error.code
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.startsWith('commander.')) return /help|version/.test(code) ? 0 : exitCodes.usage
  const known =
    error instanceof Error && ['OperatingError', 'InvalidInput', 'ApiError'].includes(error.name)
  if (known) {
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : ''
    bad(`${error.message}${cause}`)
    return exitCodes.failed
  }
  throw error
}
