import { explainError, OperatingError, type Logger } from '@weir/kernel'
import type { RunProgram } from '../kernel/run-program.ts'
import type { NodePort } from './node-drains.ts'

/**
 * Ends the connections of this machine to a node port, as if the node had reset them. Envoy has no
 * way to end those to one node, so the kernel is asked to (SOCK_DESTROY), which takes CAP_NET_ADMIN. Where
 * it can't be had, or there is no `ss`, they go on until they end, and that is logged.
 */
export const cutConnections = async (
  { ip, nodePort }: NodePort,
  { run, log }: { readonly run: RunProgram; readonly log: Logger },
): Promise<void> => {
  const to = ['dst', ip.includes(':') ? `[${ip}]` : ip, 'dport', '=', `:${nodePort}`]
  try {
    await run(['ss', '-K', '-t', ...to])
    // It says so, and ends well, when it may not.
    const left = await run(['ss', '-H', '-t', '-n', 'state', 'established', ...to])
    if (left.trim() === '') return
    throw new OperatingError('the kernel did not end them; it takes CAP_NET_ADMIN')
  } catch (error) {
    if (!(error instanceof OperatingError)) throw error
    const problem = explainError(error)
    log.warn({ ip, nodePort, problem }, 'connections to a node outlive its drain')
  }
}
