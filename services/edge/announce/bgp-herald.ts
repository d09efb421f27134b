import {
  backoffMs,
  explainError,
  OperatingError,
  type Clock,
  type Ids,
  type Logger,
} from '@weir/kernel'
import { GobgpGone, type Gobgp, type HostRoute } from './gobgp.ts'
import type { Herald } from './herald.ts'
import { createPending } from './pending.ts'

export interface BgpHeraldOptions {
  readonly gobgp: Gobgp
  /** Where routers send packets: addresses of this edge. Unspecified ones (0.0.0.0, ::) mean the session's own. */
  readonly nextHops: { readonly IPv4: string; readonly IPv6: string }
  /** The same on every edge of the fleet. */
  readonly communities: readonly number[]
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

const retryRule = { minMs: 100, maxMs: 2_000 }
/** Somebody may have taken routes of ours out by hand. */
const compareMs = 30_000
/** Routers hear of a withdrawal in some 10 ms. */
const lingerMs = 250

/**
 * Announces addresses as host routes by a gobgpd on this machine. Its table is compared with what is wanted
 * whenever it answers anew and every half minute: a gobgpd that was started again is told all, and routes of
 * ours that nobody wants any more are withdrawn. A stop of this process withdraws nothing.
 */
export const createBgpHerald = (options: BgpHeraldOptions): Herald => {
  const { gobgp, clock, ids, log } = options
  const wanted = new Set<string>()
  const pending = createPending()
  const stop = new AbortController()
  let wake = Promise.withResolvers<void>()
  let trouble: string | undefined = 'gobgpd was not asked yet'
  let sessions = 0
  let running: Promise<void> | undefined

  const routeOf = (address: string): HostRoute => ({
    address,
    nextHop: options.nextHops[address.includes(':') ? 'IPv6' : 'IPv4'],
    communities: options.communities,
  })
  const change = async (addresses: readonly string[], stale: readonly HostRoute[] = []) => {
    const announce = addresses.filter((address) => wanted.has(address)).map(routeOf)
    const withdraw = addresses.filter((address) => !wanted.has(address)).map(routeOf)
    if (announce.length + withdraw.length + stale.length === 0) return
    await gobgp.change(announce, [...withdraw, ...stale])
    log.info(
      { announced: announce.length, withdrawn: withdraw.length + stale.length },
      'told gobgpd',
    )
  }
  const compare = async (): Promise<void> => {
    const turn = pending.begin()
    const listed = new Map((await gobgp.list()).map((route) => [route.address, textOf(route)]))
    const missing = [...wanted].filter((each) => listed.get(each) !== textOf(routeOf(each)))
    const stale = [...listed.keys()].filter((address) => !wanted.has(address)).map(routeOf)
    await change(missing, stale)
    pending.done(turn)
  }
  const send = async (): Promise<void> => {
    const turn = pending.begin()
    await change(turn.addresses)
    pending.done(turn)
  }
  const countSessions = (): void => {
    const keep = ({ established }: { established: number }) => (sessions = established)
    gobgp.sessions().then(keep, () => undefined)
  }
  /** @throws OperatingError when gobgpd does not answer */
  const follow = async (): Promise<void> => {
    const watching = gobgp.watch(countSessions)
    // What ends it is told below, or by what fails first.
    watching.catch(() => undefined)
    await compare()
    if (trouble !== undefined) log.info({ routes: wanted.size }, 'gobgpd has what is announced')
    trouble = undefined
    while (!stop.signal.aborted) {
      wake = Promise.withResolvers()
      if (pending.size() === 0) {
        const pause = new AbortController()
        const quiet = clock.sleep(compareMs, AbortSignal.any([pause.signal, stop.signal]))
        const isQuiet = quiet.then(() => !pause.signal.aborted)
        const compareNow = await Promise.race([wake.promise, isQuiet, watching]).finally(() =>
          pause.abort(),
        )
        if (stop.signal.aborted) return
        if (compareNow === true) await compare()
      }
      await send()
    }
  }
  const run = async (): Promise<void> => {
    for (let attempt = 1; !stop.signal.aborted; attempt += 1) {
      try {
        await follow()
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
        if (trouble === undefined) attempt = 1
        if (attempt === 1) log.error({ problem: explainError(error) }, 'cannot announce addresses')
        trouble = explainError(error)
        pending.again()
        // What a dead gobgpd announced is not announced any more.
        if (error instanceof GobgpGone) pending.giveUp((address) => !wanted.has(address))
        await clock.sleep(backoffMs(retryRule, attempt, ids.random()), stop.signal)
      }
    }
  }
  return {
    lingerMs,
    tell: (changes) => {
      for (const [address, announced] of changes) {
        if (announced) wanted.add(address)
        else wanted.delete(address)
      }
      const told = pending.add(changes.keys())
      running ??= run()
      wake.resolve()
      return told
    },
    problem: () => trouble ?? (sessions === 0 ? 'no router has a session with gobgpd' : undefined),
    close: async () => {
      stop.abort()
      gobgp.close()
      await running
    },
  }
}

const textOf = ({ address, nextHop, communities }: HostRoute): string =>
  JSON.stringify([address, nextHop, communities])
