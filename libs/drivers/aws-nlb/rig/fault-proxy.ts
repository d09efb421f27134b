import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

/** Stands between a client and a server of AWS's query protocol, and breaks calls on request. */
export interface FaultProxy {
  readonly endpoint: string
  /** The next call that changes something breaks before it arrives, or after, before its reply does. */
  failNext(when: 'before' | 'after'): void
  stop(): Promise<void>
}

export const startFaultProxy = async (target: string): Promise<FaultProxy> => {
  let fault: 'before' | 'after' | null = null
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
    const body = Buffer.concat(chunks).toString('utf8')
    const action = new URLSearchParams(body).get('Action') ?? ''
    const met = /^(Describe|Get|Assume)/.test(action) ? null : fault
    if (met !== null) fault = null
    if (met === 'before') return void request.socket.destroy()
    const answer = await fetch(`${target}${request.url ?? '/'}`, {
      method: request.method ?? 'POST',
      headers: {
        'content-type': request.headers['content-type'] ?? '',
        authorization: request.headers.authorization ?? '',
      },
      body,
    })
    const text = await answer.text()
    if (met === 'after') return void request.socket.destroy()
    response.writeHead(answer.status, { 'content-type': 'text/xml' })
    response.end(text)
  }
  const server = createServer((request, response) => {
    pass(request, response).catch(() => response.destroy())
  })
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
