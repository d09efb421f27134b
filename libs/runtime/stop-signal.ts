import { systemClock } from '@weir/kernel'

/** Why the process shall end, as the signal's `reason`. */
export type StopCause = 'SIGTERM' | 'SIGINT' | 'stdin closed'

/**
 * A Ctrl-C reaches every process of the terminal, some of them twice, and a supervisor adds its own SIGTERM;
 * all of that is one wish.
 */
const ONE_WISH_MS = 1_000

/**
 * Aborts on SIGTERM, on SIGINT and, where asked for, when the parent's pipe on stdin closes: a parent
 * that is killed cannot send a signal, but its end of the pipe always closes. The same signal
 * again, later, ends the process at once, for the operator who will not wait.
 */
export const stopSignal = (onStdinClose: boolean): AbortSignal => {
  const stop = new AbortController()
  const heard = new Map<StopCause, number>()
  const on = (cause: 'SIGTERM' | 'SIGINT'): void => {
    const now = systemClock.now()
    const first = heard.get(cause) ?? now
    heard.set(cause, first)
    if (now - first >= ONE_WISH_MS) process.exit(1)
    stop.abort(cause)
  }
  process.on('SIGTERM', () => on('SIGTERM'))
  process.on('SIGINT', () => on('SIGINT'))
  if (onStdinClose) {
    process.stdin.on('end', () => stop.abort('stdin closed' satisfies StopCause))
    process.stdin.on('close', () => stop.abort('stdin closed' satisfies StopCause))
    process.stdin.resume()
  }
  return stop.signal
}
