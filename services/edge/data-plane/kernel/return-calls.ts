// A connection to a load balancer's address through one certain node, from this machine's own address: what
// no route leads to, so that one is laid for the time of the call, in a table of its own that a rule picks by
// the port which such calls come from.
import { createKeyedQueue, explainError, type Logger } from '@weir/kernel'
import { connect } from 'node:net'
import { z } from 'zod'
import type { ReturnAnswer, ReturnCall } from '../../domain/direct-return.ts'
import type { RunProgram } from './run-program.ts'

/** One TCP connection: who calls whom from where. */
export interface Connecting {
  readonly from: string
  readonly fromPort: number
  readonly to: string
  readonly toPort: number
  readonly timeoutMs: number
}

/** Whether somebody answers, be it with a refusal. Never rejects. */
export type Connect = (connecting: Connecting) => Promise<boolean>

export interface ReturnCallsOptions {
  readonly run: RunProgram
  readonly device: string
  readonly log: Logger
  /** Connects from the network namespace that `run` runs in; this process's unless said otherwise. */
  readonly connect?: Connect
}

export interface ReturnCalls {
  /** Never rejects: what cannot be tried is `unknown`. One call after the other. */
  call(call: ReturnCall): Promise<ReturnAnswer>
}

/** Number of the routing table, and preference of the rule: 0x7765. */
const table = 30_565
/** Above what Linux gives to others by itself, so that no other program's flow is led astray. */
const firstPort = 61_000
const lastPort = 61_999
const timeoutMs = 1_500
/**
 * Enough hops for a pod on another node behind it. A packet that a node takes for a stranger's and sends to
 * its router comes back to some edge with one hop left, which is none: another node cannot answer it.
 */
const hops = 3

const routes = z
  .array(
    z.object({ gateway: z.string().optional(), dev: z.string(), prefsrc: z.string().optional() }),
  )
  .min(1)

export const createReturnCalls = (options: ReturnCallsOptions): ReturnCalls => {
  const { run, device, log, connect: connectTo = connectOnce } = options
  const turn = createKeyedQueue(1)
  const ready = new Set<'-4' | '-6'>()
  let nextPort = firstPort

  const ip = (family: '-4' | '-6', words: string): Promise<string> =>
    run(['ip', '-j', family, ...words.split(' ')])
  /** The rule may be there from an earlier process, and a route of its last call. */
  const prepare = async (family: '-4' | '-6'): Promise<void> => {
    if (ready.has(family)) return
    const rule = `pref ${table} iif lo ipproto tcp sport ${firstPort}-${lastPort} lookup ${table}`
    await ip(family, `rule del ${rule}`).catch(() => undefined) // there is none the first time
    await ip(family, `route flush table ${table}`).catch(() => undefined)
    await ip(family, `rule add ${rule}`)
    ready.add(family)
  }
  const routeTo = async (family: '-4' | '-6', words: string) => {
    const [found] = routes.parse(JSON.parse(await ip(family, `route get ${words}`)))
    return found
  }
  const tryCall = async ({ vip, nodeIp, ...at }: ReturnCall): Promise<ReturnAnswer> => {
    const family = vip.includes(':') ? '-6' : '-4'
    const toNode = await routeTo(family, nodeIp)
    // A node elsewhere is reached by a tunnel, which takes no packets of this machine's own.
    if (toNode?.dev !== device || toNode.gateway !== undefined) return 'unknown'
    const fromPort = nextPort
    nextPort = nextPort === lastPort ? firstPort : nextPort + 1
    const from = toNode.prefsrc ?? ''
    const route = `${vip} via ${nodeIp} dev ${device} onlink table ${table}`
    await prepare(family)
    await ip(family, `route replace ${route} hoplimit ${hops}`)
    try {
      // An address that is this machine's own, as one edge has it with `l2`, is not to be reached by a node.
      const way = await routeTo(family, `${vip} from ${from} ipproto tcp sport ${fromPort}`)
      if (way?.gateway !== nodeIp) return 'unknown'
      const vipCall = { from, fromPort, to: vip, toPort: at.port, timeoutMs }
      if (await connectTo(vipCall)) return 'answered'
    } finally {
      await ip(family, `route del ${route}`)
    }
    const ownCall = { from, fromPort: 0, to: nodeIp, toPort: at.nodePort, timeoutMs }
    return (await connectTo(ownCall)) ? 'silent' : 'unknown'
  }
  return {
    call: (call) =>
      turn.run('calls', async () => {
        try {
          return await tryCall(call)
        } catch (error) {
          ready.clear()
          log.warn(
            { node: call.node, problem: explainError(error) },
            'cannot try whether a node answers directly',
          )
          return 'unknown'
        }
      }),
  }
}

/** Connects from this process, and resets at once what was opened. */
export const connectOnce: Connect = ({ from, fromPort, to, toPort, timeoutMs: limit }) => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const port = fromPort === 0 ? {} : { localPort: fromPort }
  const socket = connect({ host: to, port: toPort, localAddress: from, ...port })
  const finish = (answered: boolean): void => {
    clearTimeout(timer)
    socket.destroy()
    resolve(answered)
  }
  const timer = setTimeout(() => finish(false), limit)
  socket.once('connect', () => {
    socket.resetAndDestroy()
    finish(true)
  })
  socket.on('error', (error) => {
    finish('code' in error && error.code === 'ECONNREFUSED')
  })
  return promise
}
