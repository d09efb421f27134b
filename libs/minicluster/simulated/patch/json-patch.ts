import jsonPatch from 'fast-json-patch'
import { ApiError, badRequest } from '../api-error.ts'
import { copyOf, type Json, type JsonObject } from '../object.ts'

/** RFC 6902. A failed `test` or a missing path is 422, as upstream answers. */
export const applyJsonPatch = (target: JsonObject, patch: Json): Json => {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch must be a list of operations')
  const operations = patch as unknown as jsonPatch.Operation[]
  const malformed = jsonPatch.validate(operations)
  if (malformed !== undefined) throw badRequest(malformed.message.split('\n')[0] ?? 'bad patch')
  try {
    return jsonPatch.applyPatch<Json>(copyOf(target), operations, true, true).newDocument
  } catch {
    // The real one does not say which operation failed, nor why.
    throw new ApiError('the server rejected our request due to an error in our request', {
      code: 422,
      reason: 'Invalid',
      details: {},
    })
  }
}
