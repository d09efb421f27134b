// Bugs in how a cluster is read and written.
import type { KubeCall, KubeConnection } from '@weir/kube'
import type { Service } from '../kube/object.ts'
import type { PlantedBug } from './bug.ts'

type Edit = (service: Service) => Service

const hold = 'weir.dev/load-balancer-cleanup'

/** A connection whose reader sees every Service through `edit`, in lists, watches and answers. */
const seenThrough = (connection: KubeConnection, edit: Edit): KubeConnection => ({
  ...connection,
  call: async (request) => edited(request, await connection.call(request), edit),
  stream: async (path, signal) => {
    const parts = await connection.stream(path, signal)
    return path.includes('/services') ? lines(parts, edit) : parts
  },
})

const edited = ({ path }: KubeCall, answer: unknown, edit: Edit): unknown => {
  if (!path.includes('/services')) return answer
  const list = answer as { readonly items?: readonly Service[] }
  return list.items === undefined
    ? edit(answer as Service)
    : { ...list, items: list.items.map(edit) }
}

async function* lines(parts: AsyncIterable<Uint8Array>, edit: Edit): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    const line = JSON.parse(new TextDecoder().decode(part)) as { type: string; object: Service }
    const object = line.type === 'BOOKMARK' ? line.object : edit(line.object)
    yield new TextEncoder().encode(`${JSON.stringify({ ...line, object })}\n`)
  }
}

/** Every namesake has the UID of the first, and writes carry the UID that the name has now. */
const keyedByName = (connection: KubeConnection): KubeConnection => {
  const firsts = new Map<string, string>()
  const nows = new Map<string, string>()
  const read = seenThrough(connection, (service) => {
    const { name, uid } = service.metadata
    const first = firsts.get(name) ?? uid
    firsts.set(name, first)
    nows.set(first, uid)
    return { ...service, metadata: { ...service.metadata, uid: first } }
  })
  return {
    ...read,
    call: (request) => {
      const body = request.body as { readonly metadata?: { readonly uid?: string } } | undefined
      const now = nows.get(body?.metadata?.uid ?? '')
      if (now === undefined) return read.call(request)
      return read.call({ ...request, body: { ...body, metadata: { ...body?.metadata, uid: now } } })
    },
  }
}

const isHold = ({ method, body }: KubeCall): boolean =>
  method === 'PATCH' && JSON.stringify(body).includes(`"finalizers":[`)

export const watcherBugs: readonly PlantedBug[] = [
  {
    name: 'Services by namespace and name',
    does: 'a namesake of a deleted Service is taken for it',
    within: 30,
    plants: { connection: keyedByName },
  },
  {
    name: 'trust in the status',
    does: 'the address that a status shows is taken for the one asked for',
    within: 30,
    plants: {
      connection: (connection) =>
        seenThrough(connection, (service) => {
          const [first] = service.status.loadBalancer.ingress ?? []
          if (first?.ip === undefined) return service
          return { ...service, spec: { ...service.spec, loadBalancerIP: first.ip } }
        }),
    },
  },
  {
    name: 'the finalizer is believed to be on',
    does: 'a Service is published before the API server acknowledged our finalizer',
    within: 5,
    plants: {
      connection: (connection) => ({
        ...connection,
        call: async (request) => {
          if (!isHold(request)) return connection.call(request)
          const path = request.path.replace(/\/status.*$/, '')
          const service = (await connection.call({ method: 'GET', path })) as Service
          const finalizers = [...(service.metadata.finalizers ?? []), hold]
          return { ...service, metadata: { ...service.metadata, finalizers } }
        },
      }),
    },
  },
]
