// Watches as the API server serves them: history from a version on, 410 when it is compacted, bookmarks, an
// end after the time asked for. Lines come in order, each when the scheduler lets it.
import { ApiError } from '@weir/kube'
import type { KubeCluster } from './cluster.ts'
import { broken, type KubePorts } from './kube-ports.ts'
import { resourceAt } from './list.ts'
import type { Change } from './store.ts'

const bookmarkMs = 60_000

interface Asked {
  readonly path: string
  readonly signal: AbortSignal
}

interface Queue {
  readonly lines: Uint8Array[]
  end: { readonly error?: unknown } | undefined
  wake: () => void
}

export const openWatch = (
  cluster: KubeCluster,
  { path, signal }: Asked,
  ports: KubePorts,
): Promise<AsyncIterable<Uint8Array>> => {
  const url = new URL(path, cluster.server)
  const resource = resourceAt(url.pathname)
  const from = Number(url.searchParams.get('resourceVersion') ?? 0)
  const seconds = Number(url.searchParams.get('timeoutSeconds') ?? 300)
  const { actor, faults } = ports
  const fate = faults.fateOf('kube-watch', actor)
  return actor.call({ label: `kube WATCH ${resource}`, fate }, async () => {
    const missed = cluster.store.since(from)
    if (missed === undefined) {
      throw new ApiError('too old resource version', { status: 410, reason: 'Expired' })
    }
    const queue: Queue = { lines: [], end: undefined, wake: () => undefined }
    const serve = (change: Change): void => {
      if (change.resource === resource) send(change)
    }
    const send = ({ type, object, version }: Change): void =>
      later(lineOf(type, { ...object, metadata: { ...object.metadata, ...at(version) } }))
    const later = sendInOrder(`kube line of ${resource}`, queue, ports)
    const stop = cluster.store.onChange(serve)
    for (const change of missed) serve(change)
    const over = { error: undefined as unknown, isOver: false }
    const finish = (error?: unknown): void => {
      if (over.isOver) return
      over.isOver = true
      stop()
      queue.end = error === undefined ? {} : { error }
      queue.wake()
    }
    signal.addEventListener('abort', () => finish(broken('watch')), { once: true })
    actor.onDeath(stop)
    faults.onCut(actor, () => finish(broken(`watch ${resource}`)))
    actor.deliver(`kube watch of ${resource} ends`, () => finish(), seconds * 1000)
    const bookmark = (): void => {
      if (over.isOver) return
      later(lineOf('BOOKMARK', { metadata: at(cluster.store.version()) }))
      actor.deliver(`kube bookmark of ${resource}`, bookmark, bookmarkMs)
    }
    actor.deliver(`kube bookmark of ${resource}`, bookmark, bookmarkMs)
    return linesOf(queue)
  })
}

const at = (version: number) => ({ resourceVersion: String(version) })

const encoder = new TextEncoder()
const lineOf = (type: string, object: unknown): Uint8Array =>
  encoder.encode(`${JSON.stringify({ type, object })}\n`)

/** Lines arrive one after the other, each as a step of its own. */
const sendInOrder = (label: string, queue: Queue, { actor, faults }: KubePorts) => {
  const onTheWay: Uint8Array[] = []
  const arrive = (): void => {
    const line = onTheWay.shift()
    if (line === undefined) return
    queue.lines.push(line)
    queue.wake()
    if (onTheWay.length > 0) actor.deliver(label, arrive, faults.lineDelayMs())
  }
  return (line: Uint8Array): void => {
    onTheWay.push(line)
    if (onTheWay.length === 1) actor.deliver(label, arrive, faults.lineDelayMs())
  }
}

async function* linesOf(queue: Queue): AsyncGenerator<Uint8Array> {
  for (;;) {
    const line = queue.lines.shift()
    if (line !== undefined) yield line
    else if (queue.end?.error !== undefined) throw queue.end.error
    else if (queue.end !== undefined) return
    else await new Promise<void>((resolve) => (queue.wake = resolve))
  }
}
