import { OperatingError } from '@weir/kernel'
import type { Budget } from '../budget.ts'
import type { AwsApi, AwsClients } from './api.ts'
import { failureOf, isThrottle, saysMissing } from './outcome.ts'
import { readTags, type Tags } from './tags.ts'

/** What every read needs. */
export interface Reader {
  readonly api: AwsApi
  readonly budget: Budget
  /** Called before each read of one operation; see `createReadGate`. */
  readonly pass: () => void
}

const holdMs = 1_000

/**
 * One read of the account's.
 *
 * @throws OperatingError `cannot WHAT at AWS` with the cause, also when the rate is used up.
 */
export const read = async <T>(
  { api, budget, pass }: Reader,
  what: string,
  call: (clients: AwsClients) => Promise<T>,
): Promise<T> => {
  pass()
  const clients = await api.clients()
  try {
    return await call(clients)
  } catch (cause) {
    const throttled = isThrottle(failureOf(cause))
    if (throttled) budget.hold('read', holdMs)
    throw new OperatingError(`cannot ${what} at AWS`, {
      cause,
      ...(throttled ? { retry: { afterMs: holdMs } } : {}),
    })
  }
}

/** As `read`, with null where AWS says that the thing is not there. */
export const readIfThere = async <T>(
  reader: Reader,
  what: string,
  call: (clients: AwsClients) => Promise<T>,
): Promise<T | null> => {
  try {
    return await read(reader, what, call)
  } catch (error) {
    const cause = error instanceof OperatingError ? error.cause : error
    if (saysMissing(cause)) return null
    throw error
  }
}

/** Far more pages than an account's limits allow things. */
const maxPages = 1_000

interface Page<T> {
  readonly items: readonly T[]
  readonly next?: string | undefined
}

/** All pages, complete or not at all. @throws OperatingError when they have no end */
export const readAll = async <T>(
  page: (next: string | undefined) => Promise<Page<T>>,
): Promise<readonly T[]> => {
  const all: T[] = []
  let next: string | undefined
  for (let pages = 0; pages < maxPages; pages += 1) {
    const answer = await page(next)
    all.push(...answer.items)
    if (answer.next === undefined || answer.next === '') return all
    next = answer.next
  }
  throw new OperatingError(`AWS answered more than ${maxPages} pages; the list has no end`)
}

/** A field that AWS documents as always there. @throws OperatingError when it is not */
export const must = <T>(value: T | undefined | null, field: string): T => {
  if (value !== undefined && value !== null) return value
  throw new OperatingError(`AWS answered without ${field}; nothing is concluded from that`)
}

/** AWS takes no more ARNs in one DescribeTags. */
const arnsPerCall = 20

/**
 * The tags of load balancers and target groups, by ARN. What is gone meanwhile is left out: one that
 * is missing fails its whole batch, which is then asked for in halves.
 */
export const readTagsOf = async (
  reader: Reader,
  arns: readonly string[],
): Promise<ReadonlyMap<string, Tags>> => {
  const found = new Map<string, Tags>()
  for (let from = 0; from < arns.length; from += arnsPerCall) {
    await readBatch(reader, arns.slice(from, from + arnsPerCall), found)
  }
  return found
}

const readBatch = async (
  reader: Reader,
  arns: readonly string[],
  found: Map<string, Tags>,
): Promise<void> => {
  const answer = await readIfThere(reader, `read the tags of ${arns.length} things`, ({ elb }) =>
    elb.describeTags({ ResourceArns: [...arns] }),
  )
  if (answer === null) {
    if (arns.length <= 1) return
    const middle = Math.ceil(arns.length / 2)
    await readBatch(reader, arns.slice(0, middle), found)
    await readBatch(reader, arns.slice(middle), found)
    return
  }
  const described = answer.TagDescriptions ?? []
  for (const arn of arns) {
    const one = described.find(({ ResourceArn }) => ResourceArn === arn)
    found.set(arn, readTags(must(one, `the tags of ${arn}`).Tags))
  }
}
