// What any controller must write at the least, in a process of its own: for each Service on its watch one
// patch that sets a finalizer, one that sets the status, and one that takes the finalizer off when the
// Service is deleted. It has no queue, no memory and no data path.
import { readFileSync } from 'node:fs'
import { createConnection, parseKubeconfig, withLoopback } from '@weir/kube'
import { servicesPath, watchServices, type ServiceObject } from './service-watch.ts'

const finalizer = 'bench.weir.dev/bare'
const [kubeconfig = '', label = ''] = process.argv.slice(2)
const credentials = parseKubeconfig(readFileSync(kubeconfig, 'utf8'))
// The same connection as weir's, its keep-alive and its limit of sockets included.
const connection = createConnection(credentials, { policy: withLoopback })
let served = 0

const patch = ({ metadata }: ServiceObject, body: object): Promise<unknown> =>
  connection.call({
    method: 'PATCH',
    path: `${servicesPath}/${metadata.name}/status?fieldManager=bare`,
    contentType: 'application/strategic-merge-patch+json',
    body,
  })

const serve = async (service: ServiceObject): Promise<void> => {
  const { uid } = service.metadata
  served += 1
  const ip = `198.18.${(served >> 8) & 255}.${served & 255}`
  await patch(service, { metadata: { uid, finalizers: [finalizer] } })
  const loadBalancer = { ingress: [{ ip, ipMode: 'Proxy' }] }
  await patch(service, { metadata: { uid }, status: { loadBalancer } })
}

const letGo = async (service: ServiceObject): Promise<void> => {
  const { uid } = service.metadata
  await patch(service, {
    metadata: { uid, '$deleteFromPrimitiveList/finalizers': [finalizer] },
    status: { loadBalancer: { ingress: null } },
  })
}

const leaving = new Set<string>()
await watchServices(
  connection,
  label,
  ({ type, object }) => {
    const { uid, deletionTimestamp } = object.metadata
    if (type === 'ADDED') void serve(object)
    if (type === 'DELETED') leaving.delete(uid)
    if (type !== 'MODIFIED' || deletionTimestamp === undefined || leaving.has(uid)) return
    leaving.add(uid)
    void letGo(object)
  },
  new AbortController().signal,
)
process.on('disconnect', () => process.exit())
process.send?.('ready')
