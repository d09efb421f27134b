// Run in the control plane's namespace: `node maker.ts KUBECONFIG NATS_URL APP PORT POLICY`. For each line `make NAME` that
// comes in it makes a Service, for `story UID` it reads the log. What it sees of them it prints with the time, as JSON: on
// a watch of its own, on the bus, in the log.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connectBus } from '@weir/bus'
import { edgeOrder, edgeReport, observation } from '@weir/contract'
import { silentLogger, systemClock, systemIds } from '@weir/kernel'
import { createConnection, parseKubeconfig, withLoopback } from '@weir/kube'
import { z } from 'zod'
import { createClient } from '../../cli/client.ts'
import {
  addressOf,
  servicesPath,
  watchServices,
  type ServiceObject,
} from '../lifecycle/service-watch.ts'
import type { Noted } from './sightings.ts'

const [kubeconfig = '', natsUrl = '', app = '', port = '', policy = ''] = process.argv.slice(2)
const { WEIR_API: api = '', WEIR_TOKEN: token = '', WEIR_TENANT: tenant = '' } = process.env
const label = { bench: 'first-packet' }
const credentials = parseKubeconfig(readFileSync(kubeconfig, 'utf8'))
const kube = createConnection(credentials, { policy: withLoopback })
const client = createClient({ api, token, tenant })

const print = (noted: Noted): void => void process.stdout.write(`${JSON.stringify(noted)}\n`)

const make = async (name: string): Promise<void> => {
  const created = systemClock.now()
  const made = (await kube.call({
    method: 'POST',
    path: servicesPath,
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, labels: label },
      spec: {
        type: 'LoadBalancer',
        selector: { app },
        externalTrafficPolicy: policy,
        ports: [{ port: Number(port) }],
      },
    },
  })) as ServiceObject
  const who = made.metadata.uid
  print({ who, mark: 'created', at: created })
  print({ who, mark: 'accepted', at: systemClock.now() })
}

const page = z.object({
  items: z.array(z.object({ type: z.string(), recordedtime: z.string() })),
})
const tellStory = async (who: string): Promise<void> => {
  const query = new URLSearchParams({ story: who, after: '0', limit: '1000' })
  const path = `/v1/tenants/${tenant}/events?${query.toString()}`
  const { items } = await client.get(path, page)
  for (const { type, recordedtime } of items) {
    print({ who, mark: type, at: Date.parse(recordedtime) })
  }
  print({ who, mark: 'story', at: systemClock.now() })
}

const listen = async (): Promise<void> => {
  const tools = { clock: systemClock, ids: systemIds, logger: silentLogger }
  const bus = await connectBus({ url: natsUrl, name: 'bench first-packet', ...tools })
  const { signal } = new AbortController()
  const hear = (subject: string, handle: (body: unknown) => void): void =>
    bus.onHint(subject, (body) => handle(JSON.parse(body)), signal)
  hear('weir.obs.*.*.service.*', (body) => {
    const seen = observation.parse(body)
    if (seen.kind !== 'service') return
    print({ who: seen.serviceUid, mark: 'observed', at: Date.parse(seen.seenAt) })
  })
  hear('weir.edge.*.order.*', (body) => {
    const order = edgeOrder.parse(body)
    if (order.order !== 'serve') return
    const { marks, frontends } = order.desired
    const ip = frontends[0]?.ip ?? ''
    print({ who: marks.service, mark: 'told', at: systemClock.now(), ip })
  })
  hear('weir.edge.*.report.*.*', (body) => {
    const { marks, edge, state, at } = edgeReport.parse(body)
    if (state !== 'serving') return
    print({ who: marks.service, mark: `reported ${edge}`, at: Date.parse(at) })
  })
}

await listen()
await watchServices(
  kube,
  'bench=first-packet',
  ({ object }) => {
    if (addressOf(object) === undefined) return
    print({ who: object.metadata.uid, mark: 'shown', at: systemClock.now() })
  },
  new AbortController().signal,
)
const acts: Readonly<Record<string, (what: string) => Promise<void>>> = {
  make,
  story: tellStory,
}
createInterface({ input: process.stdin }).on('line', (line) => {
  const [act = '', what = ''] = line.split(' ')
  // A failure ends this process with its words on stderr, and the bench when it has waited for long enough.
  void acts[act]?.(what)
})
process.stdin.on('close', () => process.exit(0))
process.stdout.write('ready\n')
