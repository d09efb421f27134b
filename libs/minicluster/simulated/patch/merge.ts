import { isObject, type Json, type JsonObject } from '../object.ts'

/** RFC 7386: null removes, objects merge, everything else replaces. */
export const mergePatch = (target: Json | undefined, patch: Json): Json => {
  if (!isObject(patch)) return patch
  const result: JsonObject = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete result[key]
    else result[key] = mergePatch(result[key], value)
  }
  return result
}
