import { z } from 'zod'
import { AwsRefusal, type Params } from './query.ts'

/** A number as the query protocol writes it. */
export const count = (least: number, most: number) =>
  z
    .string()
    .regex(/^-?\d+$/)
    .transform(Number)
    .pipe(z.int().min(least).max(most))

export const list = <T extends z.ZodType>(item: T) => z.array(item)

export const tag = z.strictObject({ Key: z.string(), Value: z.string().default('') })
export const filter = z.strictObject({ Name: z.string(), Value: z.array(z.string()).min(1) })

/**
 * Takes the parameters of a call. What a schema does not know, AWS knows perhaps, but we do not use it:
 * it is refused, so that nothing passes on the fake by being overlooked.
 */
export const parseParams = <T>(schema: z.ZodType<T>, params: Params): T => {
  const { Action: _action, Version: _version, ...own } = params
  const parsed = schema.safeParse(own)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.join('.') ?? ''
  throw new AwsRefusal('ValidationError', `${where}: ${issue?.message ?? 'is not valid'}`)
}

/** One page of a list: AWS's marker is the place of the first item of the next page. */
export const pageOf = <T>(
  all: readonly T[],
  size: number,
  marker: string | undefined,
): { readonly items: readonly T[]; readonly next: string | undefined } => {
  const from = marker === undefined ? 0 : Number(marker)
  if (!Number.isSafeInteger(from) || from < 0) {
    throw new AwsRefusal('ValidationError', `'${marker}' is no marker`)
  }
  const to = from + size
  return { items: all.slice(from, to), next: to < all.length ? String(to) : undefined }
}
