import { badRequest } from '../api-error.ts'
import { asText, at, isObject, type Json, type KubeObject, listAt, textAt } from '../object.ts'
import type { ResourceType } from './resource.ts'

export type Labels = Readonly<Record<string, string>> | undefined

/** Tells whether labels, or an object, are among those asked for. */
export type LabelTest = (labels: Labels) => boolean
export type ObjectTest = (object: KubeObject) => boolean

interface Requirement {
  readonly key: string
  readonly operator: 'in' | 'notin' | 'exists' | 'missing'
  readonly values: readonly string[]
}

const holds = (requirement: Requirement, labels: Labels): boolean => {
  const value = labels?.[requirement.key]
  switch (requirement.operator) {
    case 'exists':
      return value !== undefined
    case 'missing':
      return value === undefined
    case 'in':
      return value !== undefined && requirement.values.includes(value)
    default:
      return value === undefined || !requirement.values.includes(value)
  }
}

const everyone: LabelTest = () => true

/** A `labelSelector` parameter, such as `app=web,tier in (a, b),!old`; undefined selects all. */
export const parseLabelSelector = (text: string | undefined): LabelTest => {
  if (text === undefined || text.trim() === '') return everyone
  const requirements = splitTerms(text).map((term) => parseTerm(term, text))
  return (labels) => requirements.every((one) => holds(one, labels))
}

/** Splits at commas that are not inside parentheses. */
const splitTerms = (text: string): string[] => text.split(/,(?![^(]*\))/).map((term) => term.trim())

const key = String.raw`([A-Za-z0-9][-A-Za-z0-9_./]*)`
const setPattern = new RegExp(String.raw`^${key}\s+(in|notin)\s*\(([^)]*)\)$`)
const equalPattern = new RegExp(String.raw`^${key}\s*(==|=|!=)\s*([-A-Za-z0-9_.]*)$`)
const existsPattern = new RegExp(String.raw`^(!?)\s*${key}$`)

const parseTerm = (term: string, whole: string): Requirement => {
  const set = setPattern.exec(term)
  if (set !== null) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim())
    return { key: set[1] ?? '', operator: set[2] === 'in' ? 'in' : 'notin', values }
  }
  const equal = equalPattern.exec(term)
  if (equal !== null) {
    const operator = equal[2] === '!=' ? 'notin' : 'in'
    return { key: equal[1] ?? '', operator, values: [equal[3] ?? ''] }
  }
  const exists = existsPattern.exec(term)
  if (exists !== null)
    return { key: exists[2] ?? '', operator: exists[1] === '!' ? 'missing' : 'exists', values: [] }
  throw badRequest(`unable to parse requirement: couldn't parse the selector string "${whole}"`)
}

/** A LabelSelector object (`matchLabels`, `matchExpressions`); an empty one selects all. */
export const readLabelSelector = (selector: Json | undefined): LabelTest => {
  const equal = Object.entries(at(selector, 'matchLabels') ?? {})
  const requirements = listAt(selector, 'matchExpressions').map(readExpression)
  return (labels) =>
    equal.every(([name, value]) => labels?.[name] === value) &&
    requirements.every((one) => holds(one, labels))
}

const operators: Readonly<Record<string, Requirement['operator']>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: 'missing',
}

const readExpression = (expression: Json): Requirement => ({
  key: textAt(expression, 'key'),
  operator: operators[textAt(expression, 'operator')] ?? 'missing',
  values: listAt(expression, 'values').map(String),
})

/** A LabelSelector object as kubectl writes it. */
export const formatSelector = (selector: Json | undefined): string => {
  const labels = at(selector, 'matchLabels')
  const equal = isObject(labels)
    ? Object.keys(labels)
        .sort()
        .map((k) => `${k}=${asText(labels[k])}`)
    : []
  const more = listAt(selector, 'matchExpressions').map((expression) => {
    const values = listAt(expression, 'values').map(String).sort().join(',')
    switch (textAt(expression, 'operator')) {
      case 'In':
        return `${textAt(expression, 'key')} in (${values})`
      case 'NotIn':
        return `${textAt(expression, 'key')} notin (${values})`
      case 'Exists':
        return textAt(expression, 'key')
      default:
        return `!${textAt(expression, 'key')}`
    }
  })
  return [...equal, ...more].join(',')
}

/**
 * A `fieldSelector` parameter: `name=value`, `name!=value`, joined by commas. A field that the kind
 * does not offer is refused, as the real one does.
 */
export const parseFieldSelector = (
  resource: ResourceType,
  text: string | undefined,
): ObjectTest | undefined => {
  if (text === undefined || text.trim() === '') return undefined
  const tests = text.split(',').map((term) => parseFieldTerm(resource, term.trim()))
  return (object) => tests.every((test) => test(object))
}

const parseFieldTerm = (resource: ResourceType, term: string): ObjectTest => {
  const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(term)
  if (match === null)
    throw badRequest(`invalid field selector: ${term}; can't understand '${term}'`)
  const [, field = '', operator, wanted = ''] = match
  const read = fieldReader(resource, field)
  return (object) => (read(object) === wanted) === (operator !== '!=')
}

const fieldReader = (resource: ResourceType, field: string): ((object: KubeObject) => string) => {
  if (field === 'metadata.name') return (object) => object.metadata.name
  if (field === 'metadata.namespace' && resource.namespaced)
    return (object) => object.metadata.namespace ?? ''
  const own = resource.selectable[field]
  if (own !== undefined) return own
  throw badRequest(`field label not supported: ${field}`)
}
