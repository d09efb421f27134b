import type { IpAddress, IpFamily } from './net.ts'
import { familyOf, ipAddress, toInteger } from './net.ts'
import type { AddressRange, Pool } from './platform-events.ts'

/** One run of consecutive addresses of one family, both ends included, as integers. */
export interface AddressRun {
  readonly family: IpFamily
  readonly first: bigint
  readonly last: bigint
}

/** The addresses of a range as one run. */
export const runOf = (range: AddressRange): AddressRun => {
  if ('first' in range) {
    const family = familyOf(range.first)
    return { family, first: toInteger(range.first), last: toInteger(range.last) }
  }
  const slash = range.block.indexOf('/')
  const base = ipAddress.parse(range.block.slice(0, slash))
  const family = familyOf(base)
  const hostBits = (family === 'IPv6' ? 128 : 32) - Number(range.block.slice(slash + 1))
  const first = toInteger(base)
  return { family, first, last: first + (1n << BigInt(hostBits)) - 1n }
}

/** How many addresses a pool has in `family`. */
export const poolSize = (pool: Pool, family: IpFamily): bigint =>
  pool.ranges
    .map(runOf)
    .filter((run) => run.family === family)
    .reduce((sum, run) => sum + (run.last - run.first + 1n), 0n)

/** Whether `ip` lies in one of the pool's ranges. */
export const poolCovers = (pool: Pool, ip: IpAddress): boolean =>
  pool.ranges.map(runOf).some((run) => {
    const value = toInteger(ip)
    return run.family === familyOf(ip) && run.first <= value && value <= run.last
  })
