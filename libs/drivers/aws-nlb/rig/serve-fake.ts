import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { z } from 'zod'
import type { FakeAws, Said } from './fake-aws.ts'
import { AwsRefusal, foldQuery, toXml, type Params } from './query.ts'
import type { Service } from './actions.ts'
import { versions } from './actions.ts'

export interface ServedFake {
  readonly endpoint: string
  stop(): Promise<void>
}

/** Serves a fake account on a free port of 127.0.0.1: AWS's query protocol, and `/_fake` for tests. */
export const serveFake = async (fake: FakeAws): Promise<ServedFake> => {
  const server = createServer((request, response) => {
    answer(fake, request, response).catch(() => response.destroy())
  })
  // A connection that the server closes while a call is on its way would be a fault nobody asked for.
  server.keepAliveTimeout = 0
  await new Promise<void>((ready) => {
    server.listen(0, '127.0.0.1', ready)
  })
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('the fake has no port')
  return {
    endpoint: `http://127.0.0.1:${at.port}`,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

const answer = async (
  fake: FakeAws,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Uint8Array))
  const body = Buffer.concat(chunks).toString('utf8')
  if (request.url?.startsWith('/_fake') === true) return administer(fake, body, response)
  const params = foldQuery(body)
  const service = typeof params['Version'] === 'string' ? versions[params['Version']] : undefined
  try {
    const said = fake.call(params, accessKeyOf(request.headers.authorization))
    if (said.kind === 'broken') return void request.socket.destroy()
    send(response, 200, said.kind === 'garbage' ? '<Create' : rendered(said))
  } catch (error) {
    if (!(error instanceof AwsRefusal)) throw error
    send(response, error.httpStatus, refusal(service ?? 'elb', error))
  }
}

/** The key that a call was signed with; the signature itself is not checked. */
const accessKeyOf = (authorization = ''): string =>
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\//.exec(authorization)?.[1] ?? ''

const send = (response: ServerResponse, status: number, xml: string): void => {
  response.writeHead(status, { 'content-type': 'text/xml' })
  response.end(xml)
}

const rendered = ({ service, action, answer }: Extract<Said, { kind: 'answer' }>): string => {
  if (service === 'ec2') {
    const inner = toXml({ requestId: 'fake', ...answer }, 'item')
    return `<${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">${inner}</${action}Response>`
  }
  const host = service === 'elb' ? 'elasticloadbalancing' : 'sts'
  const version = service === 'elb' ? '2015-12-01' : '2011-06-15'
  const inner = toXml(
    { [`${action}Result`]: answer, ResponseMetadata: { RequestId: 'fake' } },
    'member',
  )
  return `<${action}Response xmlns="http://${host}.amazonaws.com/doc/${version}/">${inner}</${action}Response>`
}

const refusal = (service: Service, { code, message }: AwsRefusal): string =>
  service === 'ec2'
    ? `<Response>${toXml({ Errors: { Error: { Code: code, Message: message } }, RequestID: 'fake' }, 'item')}</Response>`
    : `<ErrorResponse>${toXml({ Error: { Type: 'Sender', Code: code, Message: message }, RequestId: 'fake' }, 'member')}</ErrorResponse>`

const fault = z.strictObject({
  action: z.string().exactOptional(),
  kind: z.enum(['before', 'after', 'throttle', 'garbage', 'refuse']),
  code: z.string().exactOptional(),
})
const rate = z.strictObject({ perSecond: z.number().positive(), burst: z.number().min(1) })

/** What a test in another process may tell the fake; see the README of this folder. */
const orders = z.strictObject({
  meet: z.array(fault).optional(),
  throttle: z.strictObject({ read: rate, write: rate }).nullable().optional(),
  behaviour: z
    .strictObject({
      provisioningMs: z.number().min(0).optional(),
      initialMs: z.number().min(0).optional(),
      lingerMs: z.number().min(0).optional(),
      readLagMs: z.number().min(0).optional(),
    })
    .optional(),
  advanceMs: z.number().min(0).optional(),
  /** Private addresses by id. */
  instances: z.record(z.string(), z.string()).optional(),
  unhealthy: z.array(z.string()).optional(),
  failNextBalancer: z.literal(true).optional(),
  /** Makes a call as somebody else would: the console, another tool. */
  call: z.record(z.string(), z.json()).optional(),
  journalFrom: z.int().min(0).default(0),
})

const administer = (fake: FakeAws, body: string, response: ServerResponse): void => {
  const parsed = orders.safeParse(body === '' ? {} : JSON.parse(body))
  if (!parsed.success) return send(response, 400, parsed.error.message)
  const told = parsed.data
  if (told.meet !== undefined) fake.meet(told.meet)
  if (told.throttle !== undefined) fake.throttle(told.throttle)
  for (const key of ['provisioningMs', 'initialMs', 'lingerMs', 'readLagMs'] as const) {
    fake.behaviour[key] = told.behaviour?.[key] ?? fake.behaviour[key]
  }
  fake.advance(told.advanceMs ?? 0)
  for (const [id, ip] of Object.entries(told.instances ?? {})) fake.premises.instances.set(id, ip)
  if (told.unhealthy !== undefined) {
    fake.premises.unhealthy.clear()
    for (const instance of told.unhealthy) fake.premises.unhealthy.add(instance)
  }
  if (told.failNextBalancer === true) fake.failNextBalancer()
  if (told.call !== undefined) fake.call(told.call as Params, 'AKIABYHAND')
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(report(fake, told.journalFrom)))
}

const report = (fake: FakeAws, journalFrom: number): unknown => ({
  account: fake.premises.account,
  region: fake.premises.region,
  vpcId: fake.premises.vpcId,
  subnetIds: [...fake.premises.subnets.keys()],
  now: fake.now(),
  calls: Object.fromEntries(fake.calls),
  journal: fake.journal.slice(journalFrom),
  things: [
    ...[...fake.state.balancers.values()].map(({ arn, tags }) => thing('load balancer', arn, tags)),
    ...[...fake.state.groups.values()].map(({ arn, tags }) => thing('target group', arn, tags)),
    ...[...fake.state.securityGroups.values()].map(({ id, tags }) =>
      thing('security group', id, tags),
    ),
    ...[...fake.state.addresses.values()].map(({ allocationId, tags }) =>
      thing('elastic IP', allocationId, tags),
    ),
  ],
})

const thing = (kind: string, ref: string, tags: ReadonlyMap<string, string>): unknown => ({
  kind,
  ref,
  tags: Object.fromEntries(tags),
})
