/** Exit codes of the command, as `--help` lists them. */
export const exitCodes = {
  failed: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  conflict: 5,
  timeout: 6,
  unreachable: 7,
} as const

/** Ends the command with a sentence and a code; never a stack trace. */
export class CommandFailed extends Error {
  readonly code: number
  readonly hint: string | undefined
  constructor(reason: keyof typeof exitCodes, message: string, hint?: string) {
    super(message)
    this.name = 'CommandFailed'
    this.code = exitCodes[reason]
    this.hint = hint
  }
}

/** The table of exit codes for `--help`. */
export const exitCodesHelp = `
Exit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 time-out of a wait,
7 unreachable.`
