import { type KubeObject, listAt, textAt } from '../object.ts'

export const isReady = (pod: KubeObject): boolean =>
  listAt(pod, 'status', 'conditions').some(
    (one) => textAt(one, 'type') === 'Ready' && textAt(one, 'status') === 'True',
  )

export const isTerminating = (pod: KubeObject): boolean =>
  pod.metadata.deletionTimestamp !== undefined

export const isOver = (pod: KubeObject): boolean => {
  const phase = textAt(pod, 'status', 'phase')
  return phase === 'Succeeded' || phase === 'Failed'
}
