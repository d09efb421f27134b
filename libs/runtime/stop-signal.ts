/** Why the process shall end, as the signal's `reason`. */
export type StopCause = 'SIGTERM' | 'SIGINT' | 'stdin closed'

/**
 * Aborts on SIGTERM, on SIGINT and, where asked for, when the parent's pipe on stdin closes: a parent that is
 * killed cannot send a signal, but its end of the pipe always closes. A second signal ends the process at
 * once, for the operator who will not wait.
 */
export const stopSignal = (onStdinClose: boolean): AbortSignal => {
  const stop = new AbortController()
  const cause = (why: StopCause): void => {
    if (stop.signal.aborted && why !== 'stdin closed') process.exit(1)
    stop.abort(why)
  }
  process.on('SIGTERM', () => cause('SIGTERM'))
  process.on('SIGINT', () => cause('SIGINT'))
  if (onStdinClose) {
    process.stdin.on('end', () => cause('stdin closed'))
    process.stdin.on('close', () => cause('stdin closed'))
    process.stdin.resume()
  }
  return stop.signal
}
