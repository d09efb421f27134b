import type { Column } from '../resources/resource.ts'
import { asText, isObject, type Json, type KubeObject, textAt } from '../object.ts'

/** A span as kubectl shows ages; upstream's `HumanDuration`. */
export const humanDuration = (millis: number): string => {
  const seconds = Math.trunc(millis / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.trunc(seconds / 60)
  if (minutes < 10) return `${minutes}m${optional(seconds % 60, 's')}`
  if (minutes < 180) return `${minutes}m`
  const hours = Math.trunc(minutes / 60)
  if (hours < 8) return `${hours}h${optional(minutes % 60, 'm')}`
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (days < 8) return `${days}d${optional(hours % 24, 'h')}`
  if (days < 730) return `${days}d`
  const years = Math.trunc(days / 365)
  return years < 8 ? `${years}y${optional(days % 365, 'd')}` : `${years}y`
}

const optional = (count: number, unit: string): string => (count === 0 ? '' : `${count}${unit}`)

/** How long ago an RFC 3339 instant was; `<unknown>` when there is none. */
export const since = (instant: string | undefined, now: number): string =>
  instant === undefined || instant === '' ? '<unknown>' : humanDuration(now - Date.parse(instant))

export const orNone = (text: string): string => (text === '' ? '<none>' : text)

/** `a=1,b=2`, sorted by key, or `<none>`. */
export const labelText = (labels: Json | undefined): string => {
  if (!isObject(labels)) return '<none>'
  const keys = Object.keys(labels).sort()
  return orNone(keys.map((key) => `${key}=${asText(labels[key])}`).join(','))
}

/** At most three, then how many more there are. */
export const firstThree = (items: readonly string[]): string => {
  if (items.length === 0) return '<unset>'
  const shown = items.slice(0, 3).join(',')
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown
}

type Cell = Column['cell']

export const column = (name: string, cell: Cell, priority = 0): Column => ({
  name,
  type: 'string',
  priority,
  cell,
})

export const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  priority: 0,
  cell: (object) => object.metadata.name,
}

export const ageColumn: Column = column('Age', (object, now) =>
  since(object.metadata.creationTimestamp, now),
)

export const createdColumn: Column = {
  name: 'Created At',
  type: 'date',
  priority: 0,
  cell: (object: KubeObject) => textAt(object, 'metadata', 'creationTimestamp'),
}
