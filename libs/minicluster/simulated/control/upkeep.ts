import { bootstrap } from '../bootstrap.ts'
import type { Cluster } from '../cluster.ts'
import { type KubeObject, textAt } from '../object.ts'
import { events } from '../resources/event.ts'
import { pods } from '../resources/pod.ts'
import { remove } from '../write/remove.ts'
import { DirtyKeys } from './dirty-keys.ts'

const eventLifeMs = 3_600_000
const sweepEveryMs = 30_000

/** Events live for an hour from their last change, as the real API server keeps them. */
const expireEvents = (cluster: Cluster, now: number): void => {
  for (const { object } of cluster.table(events).all()) {
    if (now - lastChange(object) < eventLifeMs) continue
    const { namespace, name } = object.metadata
    remove(cluster, { resource: events, namespace, name }, { dryRun: false })
  }
}

const lastChange = (event: KubeObject): number => {
  const text =
    textAt(event, 'series', 'lastObservedTime') ||
    textAt(event, 'lastTimestamp') ||
    textAt(event, 'metadata', 'creationTimestamp')
  return Date.parse(text) || 0
}

/** Deletes pods that nobody runs any more: their node is gone. */
const startPodCollector = (cluster: Cluster): (() => void) => {
  const nodes = cluster.store.table('nodes')
  const table = cluster.table(pods)
  const keys = new DirtyKeys((key) => {
    const pod = table.get(key)?.object
    const node = textAt(pod, 'spec', 'nodeName')
    if (pod === undefined || node === '' || nodes.get(node) !== undefined) return
    const { namespace, name } = pod.metadata
    remove(cluster, { resource: pods, namespace, name }, { dryRun: false, gracePeriodSeconds: 0 })
  })
  const end = nodes.subscribe((change) => {
    if (change.type !== 'DELETED') return
    for (const { key, object } of table.values())
      if (textAt(object, 'spec', 'nodeName') === change.now.key) keys.mark(key)
  })
  return () => {
    end()
    keys.stop()
  }
}

/** The Service of the API server itself is made again when someone deletes it. */
const keepOwnService = (cluster: Cluster): (() => void) => {
  const own = 'default/kubernetes'
  const keys = new DirtyKeys(() => bootstrap(cluster))
  const end = cluster.store.table('services').subscribe((change) => {
    if (change.type === 'DELETED' && change.now.key === own) keys.mark(own)
  })
  return () => {
    end()
    keys.stop()
  }
}

export const startUpkeep = (cluster: Cluster): (() => void) => {
  const timer = setInterval(() => expireEvents(cluster, cluster.clock.now()), sweepEveryMs)
  timer.unref()
  const ends = [startPodCollector(cluster), keepOwnService(cluster)]
  return () => {
    clearInterval(timer)
    for (const end of ends) end()
  }
}
