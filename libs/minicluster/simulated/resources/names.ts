import { isIP } from 'node:net'
import { type Cause, forbiddenField, invalidValue } from '../api-error.ts'

// Formats of names, worded as upstream's apimachinery/pkg/util/validation. Each answers what is wrong.

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomain = `${label}(\\.${label})*`
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelPattern = new RegExp(`^${label}$`)
const subdomainPattern = new RegExp(`^${subdomain}$`)
const qualifiedPattern = new RegExp(`^${qualified}$`)
const labelValuePattern = new RegExp(`^(${qualified})?$`)

const tooLong = (most: number): string => `must be no more than ${most} characters`

const mismatch = (rule: string, format: string, examples: readonly string[]): string =>
  `${rule} (e.g. ${examples.map((one) => `'${one}'`).join(',  or ')}, ` +
  `regex used for validation is '${format}')`

export const labelProblems = (value: string): string[] => {
  const found = value.length > 63 ? [tooLong(63)] : []
  if (labelPattern.test(value)) return found
  if (subdomainPattern.test(value)) return [...found, 'must not contain dots']
  const rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', " +
    'and must start and end with an alphanumeric character'
  return [...found, mismatch(rule, label, ['my-name', '123-abc'])]
}

export const subdomainProblems = (value: string): string[] => {
  const found = value.length > 253 ? [tooLong(253)] : []
  if (subdomainPattern.test(value)) return found
  const rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or " +
    "'.', and must start and end with an alphanumeric character"
  return [...found, mismatch(rule, subdomain, ['example.com'])]
}

/** `prefix/name` or `name`: label keys, annotation keys, finalizers, load balancer classes. */
export const qualifiedNameProblems = (value: string): string[] => {
  const parts = value.split('/')
  if (parts.length > 2) {
    const rule =
      "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start " +
      'and end with an alphanumeric character'
    const text = mismatch(rule, qualified, ['MyName', 'my.name', '123-abc'])
    return [`${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`]
  }
  const name = parts.at(-1) ?? ''
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined
  const found: string[] = []
  if (prefix === '') found.push('prefix part must be non-empty')
  else if (prefix !== undefined)
    found.push(...subdomainProblems(prefix).map((text) => `prefix part ${text}`))
  if (name === '') found.push('name part must be non-empty')
  else if (name.length > 63) found.push(`name part ${tooLong(63)}`)
  if (!qualifiedPattern.test(name)) {
    const rule =
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
      'with an alphanumeric character'
    found.push(mismatch(rule, qualified, ['MyName', 'my.name', '123-abc']))
  }
  return found
}

export const labelValueProblems = (value: string): string[] => {
  const found = value.length > 63 ? [tooLong(63)] : []
  if (labelValuePattern.test(value)) return found
  const rule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', " +
    'and must start and end with an alphanumeric character'
  return [...found, mismatch(rule, `(${qualified})?`, ['MyValue', 'my_value', '12345'])]
}

export const portNameProblems = (value: string): string[] => {
  const found: string[] = []
  if (value.length > 15) found.push(tooLong(15))
  if (!/^[-a-z0-9]+$/.test(value))
    found.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  if (!/[a-z]/.test(value)) found.push('must contain at least one letter (a-z)')
  if (value.includes('--')) found.push('must not contain consecutive hyphens')
  if (value.startsWith('-') || value.endsWith('-'))
    found.push('must not begin or end with a hyphen')
  return found
}

export const portProblems = (value: number): string[] =>
  value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive']

export const ipProblems = (value: string): string[] =>
  isIP(value) === 0 ? ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'] : []

export const cidrProblems = (value: string): string[] => {
  const [address = '', bits = '', ...more] = value.split('/')
  const family = isIP(address)
  const widest = family === 4 ? 32 : 128
  const sound =
    family !== 0 && more.length === 0 && /^(0|[1-9]\d*)$/.test(bits) && Number(bits) <= widest
  return sound ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)']
}

/** Turns problems into causes at a field. */
export const causes = (field: string, value: unknown, problems: readonly string[]): Cause[] =>
  problems.map((problem) => invalidValue(field, value, problem))

export const labelCauses = (
  labels: Readonly<Record<string, string>> | undefined,
  field: string,
): Cause[] =>
  Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...causes(field, key, qualifiedNameProblems(key)),
    ...causes(field, value, labelValueProblems(value)),
  ])

export const annotationCauses = (
  annotations: Readonly<Record<string, string>> | undefined,
  field: string,
): Cause[] => {
  const entries = Object.entries(annotations ?? {})
  const size = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
  const found = entries.flatMap(([key]) =>
    causes(field, key, qualifiedNameProblems(key.toLowerCase())),
  )
  if (size <= largestAnnotations) return found
  return [
    ...found,
    {
      reason: 'FieldValueTooLong',
      message: `Too long: may not be more than ${largestAnnotations} bytes`,
      field,
    },
  ]
}

const largestAnnotations = 256 * 1024

export const finalizerCauses = (finalizers: readonly string[] | undefined): Cause[] =>
  (finalizers ?? []).flatMap((one) =>
    causes('metadata.finalizers', one, qualifiedNameProblems(one)),
  )

/** New finalizers are refused once an object is being deleted; those it has may go. */
export const newFinalizerCauses = (
  now: readonly string[] | undefined,
  before: readonly string[] | undefined,
): Cause[] => {
  const added = (now ?? []).filter((one) => !(before ?? []).includes(one))
  if (added.length === 0) return []
  const list = added.map((one) => `"${one}"`).join(', ')
  return [
    forbiddenField(
      'metadata.finalizers',
      'no new finalizers can be added if the object is being deleted, ' +
        `found new finalizers []string{${list}}`,
    ),
  ]
}
