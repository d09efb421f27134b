import { readFileSync } from 'node:fs'

/** How Go encodes one field. */
export interface GoField {
  readonly name: string
  /** The field's number on the protobuf wire. */
  readonly number: number
  /** A pointer tells a zero that was given from one that was not. */
  readonly pointer: boolean
  /** Sent even when empty. */
  readonly kept: boolean
  readonly bytes: boolean
}

/** One definition's fields, and the structs whose fields stand in its place. */
export interface GoStruct {
  readonly byName: ReadonlyMap<string, GoField>
  readonly byNumber: ReadonlyMap<number, GoField>
  /** Number to definition. */
  readonly inlined: ReadonlyMap<number, string>
}

const source: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(
  readFileSync(new URL('fields.json', import.meta.url), 'utf8'),
)
const structs = new Map<string, GoStruct>()

/** What `fields.json` knows of a definition; empty for those that encode themselves. */
export const goStruct = (definition: string): GoStruct => {
  const known = structs.get(definition)
  if (known !== undefined) return known
  const entries = Object.entries(source[definition] ?? {})
  const fields = entries.filter(([, text]) => !text.startsWith('<')).map(readField)
  const struct = {
    byName: new Map(fields.map((field) => [field.name, field])),
    byNumber: new Map(fields.map((field) => [field.number, field])),
    inlined: new Map(
      entries
        .filter(([, text]) => text.startsWith('<'))
        .map(([number, text]) => [Number(number), text.slice(1)]),
    ),
  }
  structs.set(definition, struct)
  return struct
}

const readField = ([number, text]: readonly [string, string]): GoField => ({
  name: text.replace(/^[*=]?#?/, ''),
  number: Number(number),
  pointer: text.startsWith('*'),
  kept: text.startsWith('='),
  bytes: /^[*=]?#/.test(text),
})

/** A field of a definition, also when it comes from an inlined struct. */
export const goField = (definition: string, name: string): GoField | undefined => {
  const struct = goStruct(definition)
  const own = struct.byName.get(name)
  if (own !== undefined) return own
  for (const inner of struct.inlined.values()) {
    const found = goField(inner, name)
    if (found !== undefined) return found
  }
  return undefined
}
