import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/**
 * Stands between a client and moto, and breaks calls on request. It also makes up for two things that
 * moto lacks and AWS has: load balancer names are unique, so that making one again gives the same; and
 * a listener can change its protocol to UDP or TCP_UDP, here by deleting it and making another one.
 */
export interface FaultProxy {
  readonly endpoint: string
  /** The next call that changes something breaks before it arrives, or after, before its reply does. */
  failNext(when: 'before' | 'after'): void
  stop(): Promise<void>
}

export const startFaultProxy = async (target: string): Promise<FaultProxy> => {
  let fault: 'before' | 'after' | null = null
  // One after the other, or two at once would both find none.
  let making: ReturnType<Call> = Promise.resolve({ status: 200, text: '' })
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
    const body = Buffer.concat(chunks).toString('utf8')
    const action = new URLSearchParams(body).get('Action') ?? ''
    const met = /^(Describe|Get|Assume)/.test(action) ? null : fault
    if (met !== null) fault = null
    if (met === 'before') return void request.socket.destroy()
    const call: Call = async (body) => {
      const answer = await fetch(`${target}${request.url ?? '/'}`, {
        method: request.method ?? 'POST',
        headers: {
          'content-type': request.headers['content-type'] ?? '',
          authorization: request.headers.authorization ?? '',
        },
        body,
      })
      return { status: answer.status, text: await answer.text() }
    }
    const query = new URLSearchParams(body)
    const { status, text } = await (changesProtocol(query)
      ? makeAnew(query, call)
      : action === 'CreateLoadBalancer'
        ? (making = making.then(async () => makeOnce(query, call)))
        : call(body))
    if (met === 'after') return void request.socket.destroy()
    response.writeHead(status, { 'content-type': 'text/xml' })
    response.end(text)
  }
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy())
  })
  // A connection that the server closes while a call is on its way would be a fault nobody asked for.
  server.keepAliveTimeout = 0
  await new Promise<void>((ready) => {
    server.listen(0, '127.0.0.1', ready)
  })
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('the proxy has no port')
  return {
    endpoint: `http://127.0.0.1:${at.port}`,
    failNext: (when) => (fault = when),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

type Call = (body: string) => Promise<{ readonly status: number; readonly text: string }>

const changesProtocol = (query: URLSearchParams): boolean =>
  query.get('Action') === 'ModifyListener' && /UDP/.test(query.get('Protocol') ?? '')

const makeAnew = async (query: URLSearchParams, call: Call): ReturnType<Call> => {
  const old = query.get('ListenerArn') ?? ''
  const version = { Version: query.get('Version') ?? '' }
  const listeners = { Action: 'DescribeListeners', 'ListenerArns.member.1': old, ...version }
  const { text } = await call(new URLSearchParams(listeners).toString())
  const valueOf = (name: string): string => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1] ?? ''
  const gone = { Action: 'DeleteListener', ListenerArn: old, ...version }
  await call(new URLSearchParams(gone).toString())
  const made = new URLSearchParams(query)
  made.delete('ListenerArn')
  made.set('Action', 'CreateListener')
  made.set('LoadBalancerArn', valueOf('LoadBalancerArn'))
  made.set('Port', valueOf('Port'))
  const answer = await call(made.toString())
  return { ...answer, text: answer.text.replaceAll('CreateListener', 'ModifyListener') }
}

const makeOnce = async (query: URLSearchParams, call: Call): ReturnType<Call> => {
  const same = new URLSearchParams({
    Action: 'DescribeLoadBalancers',
    Version: query.get('Version') ?? '',
    'Names.member.1': query.get('Name') ?? '',
  })
  const found = await call(same.toString())
  if (!found.text.includes('<LoadBalancerArn>')) return call(query.toString())
  return { ...found, text: found.text.replaceAll('DescribeLoadBalancers', 'CreateLoadBalancer') }
}
