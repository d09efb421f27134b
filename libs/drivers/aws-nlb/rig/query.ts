/** What a query-protocol request holds, dots and numbers folded into objects and lists. */
export type Params = { readonly [name: string]: Param }
export type Param = string | Params | readonly Param[]

interface Draft {
  [name: string]: string | Draft
}

/**
 * Folds `Tags.member.1.Key=a` (elbv2, sts) and `Tag.1.Key=a` (ec2) into `{Tags: [{Key: 'a'}]}`.
 * Numbers must count from 1 without a gap, as AWS's own clients write them.
 */
export const foldQuery = (body: string): Params => {
  const draft: Draft = {}
  for (const [path, value] of new URLSearchParams(body)) {
    const names = path.split('.').filter((name) => name !== 'member')
    const last = names.pop() ?? ''
    let at = draft
    for (const name of names) {
      const inner = at[name] ?? {}
      if (typeof inner === 'string') throw new SyntaxError(`${path} is set twice`)
      at[name] = inner
      at = inner
    }
    at[last] = value
  }
  return foldObject(draft)
}

const foldObject = (draft: Draft): Params =>
  Object.fromEntries(Object.entries(draft).map(([name, value]) => [name, foldValue(value)]))

const foldValue = (value: string | Draft): Param => {
  if (typeof value === 'string') return value
  const names = Object.keys(value)
  if (names.length === 0 || !names.every((name) => /^\d+$/.test(name))) return foldObject(value)
  return names.map((_, index) => {
    const item = value[String(index + 1)]
    if (item === undefined) throw new SyntaxError(`a list lacks its member ${index + 1}`)
    return foldValue(item)
  })
}

/** An answer as data: lists become `<member>` or `<item>`, null and undefined are left out. */
export type Answer = { readonly [name: string]: AnswerValue }
export type AnswerValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | Date
  | Answer
  | readonly AnswerValue[]

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

const escape = (text: string): string => text.replace(/[&<>]/g, (sign) => escapes[sign] ?? sign)

/** @param listItem the element that each item of a list is written as */
export const toXml = (answer: Answer, listItem: 'member' | 'item'): string =>
  Object.entries(answer)
    .map(([name, value]) => element(name, value, listItem))
    .join('')

const element = (name: string, value: AnswerValue, listItem: 'member' | 'item'): string => {
  if (value === null || value === undefined) return ''
  return `<${name}>${content(value, listItem)}</${name}>`
}

const content = (value: AnswerValue, listItem: 'member' | 'item'): string => {
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) {
    return value.map((item: AnswerValue) => element(listItem, item, listItem)).join('')
  }
  if (typeof value === 'object') return toXml(value as Answer, listItem)
  return escape(String(value))
}

/** A refusal as AWS words it: a code that callers branch on, and a sentence. */
export class AwsRefusal extends Error {
  readonly code: string
  readonly httpStatus: number
  constructor(code: string, message: string, httpStatus = 400) {
    super(message)
    this.name = 'AwsRefusal'
    this.code = code
    this.httpStatus = httpStatus
  }
}
