import { asText, at, isObject, type Json, type KubeObject, listAt, textAt } from '../object.ts'
import type { Column } from '../resources/resource.ts'
import { ageColumn, column, nameColumn, orNone } from './format.ts'

const readyText = (object: KubeObject): string => {
  const total = listAt(object, 'spec', 'containers').length
  const ready = listAt(object, 'status', 'containerStatuses').filter(
    (status) => at(status, 'ready') === true && at(status, 'state', 'running') !== undefined,
  )
  return `${ready.length}/${total}`
}

const restartsOf = (object: KubeObject): string => {
  const counts = listAt(object, 'status', 'containerStatuses').map((status) =>
    Number(at(status, 'restartCount') ?? 0),
  )
  return String(counts.reduce((sum, count) => sum + count, 0))
}

const reasonOf = (status: Json): string => {
  const waiting = textAt(status, 'state', 'waiting', 'reason')
  if (waiting !== '') return waiting
  const terminated = at(status, 'state', 'terminated')
  if (!isObject(terminated)) return ''
  return textAt(terminated, 'reason') || `ExitCode:${asText(terminated['exitCode'] ?? 0)}`
}

/** What `kubectl get pods` shows under STATUS. */
export const podStatusText = (object: KubeObject): string => {
  const phase = textAt(object, 'status', 'phase')
  const terminal = phase === 'Succeeded' || phase === 'Failed'
  if (object.metadata.deletionTimestamp !== undefined && !terminal) return 'Terminating'
  const first = listAt(object, 'status', 'containerStatuses').map(reasonOf).find(Boolean)
  return first ?? (textAt(object, 'status', 'reason') || phase)
}

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', readyText),
  column('Status', podStatusText),
  column('Restarts', restartsOf),
  ageColumn,
  column('IP', (object) => orNone(textAt(listAt(object, 'status', 'podIPs')[0], 'ip')), 1),
  column('Node', (object) => orNone(textAt(object, 'spec', 'nodeName')), 1),
  column('Nominated Node', (object) => orNone(textAt(object, 'status', 'nominatedNodeName')), 1),
  column('Readiness Gates', () => '<none>', 1),
]
