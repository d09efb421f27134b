/**
 * Makes `fields.json` from the Go sources of k8s.io/api and k8s.io/apimachinery, for a person who moves
 * to a new version: `node extract-fields.ts API_FOLDER MACHINERY_FOLDER > fields.json`. For each
 * definition in `kubernetes.json` it gives the protobuf number of each JSON field, with a mark in front
 * of the name: `*` for a pointer, `=` for a field without `omitempty`, `#` for bytes, and `<` with a
 * definition for a struct whose fields stand in its parent's place.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { stdout } from 'node:process'

const definitions: object = JSON.parse(
  readFileSync(new URL('kubernetes.json', import.meta.url), 'utf8'),
)

const sourceOf = (definition: string, api: string, machinery: string): string => {
  const parts = definition.split('.')
  const folder = definition.startsWith('io.k8s.api.')
    ? join(api, ...parts.slice(3, -1))
    : join(machinery, ...parts.slice(3, -1))
  const path = join(folder, 'types.go')
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

const structOf = (source: string, name: string): string =>
  new RegExp(`^type ${name} struct {\\n([\\s\\S]*?)^}`, 'm').exec(source)?.[1] ?? ''

const linePattern = /^\s*(\w+(?:\.\w+)?)\s*(\S*)\s*`(.*)`/

const readField = (line: string, definition: string): [string, string] | undefined => {
  const match = linePattern.exec(line)
  if (match === null) return undefined
  const [, name = '', type = '', tags = ''] = match
  const json = /json:"([^"]*)"/.exec(tags)?.[1] ?? ''
  const number = /protobuf:"\w+,(\d+),/.exec(tags)?.[1]
  if (number === undefined) return undefined
  if (json.startsWith(',inline')) {
    const base = definition.slice(0, definition.lastIndexOf('.'))
    return [number, `<${base}.${name.split('.').at(-1) ?? ''}`]
  }
  const mark = type.startsWith('*') ? '*' : json.includes('omitempty') ? '' : '='
  const bytes = type === '[]byte' || type === 'map[string][]byte' ? '#' : ''
  return [number, `${mark}${bytes}${json.split(',')[0] ?? ''}`]
}

const [, , api, machinery] = process.argv
if (api === undefined || machinery === undefined) throw new Error('two folders are needed')
const result: Record<string, Record<string, string>> = {}
const queue = Object.keys(definitions)
for (let definition = queue.pop(); definition !== undefined; definition = queue.pop()) {
  if (definition in result) continue
  const name = definition.split('.').at(-1) ?? ''
  const lines = structOf(sourceOf(definition, api, machinery), name).split('\n')
  const fields = lines.flatMap((line) => {
    const field = readField(line, definition ?? '')
    return field === undefined ? [] : [field]
  })
  if (fields.length === 0) continue
  result[definition] = Object.fromEntries(fields)
  for (const [, field] of fields) if (field.startsWith('<')) queue.push(field.slice(1))
}
const sorted = Object.fromEntries(Object.entries(result).sort(([a], [b]) => (a < b ? -1 : 1)))
stdout.write(`${JSON.stringify(sorted, null, 1)}\n`)
