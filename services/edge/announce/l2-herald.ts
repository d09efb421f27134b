import { ipAddress, type IpAddress } from '@weir/contract'
import { explainError, OperatingError, type Clock, type Logger } from '@weir/kernel'
import { z } from 'zod'
import { readOwnMac } from '../data-plane/kernel/neighbours.ts'
import type { RunProgram } from '../data-plane/kernel/run-program.ts'
import { ownershipAfter, type Ownership } from '../domain/ownership.ts'
import { arpClaim, frameLength, neighbourClaim } from './claim-frames.ts'
import type { Herald } from './herald.ts'
import { createPending } from './pending.ts'
import { createSegmentTable, type Segment, type SegmentTable } from './segment-table.ts'

export interface L2HeraldOptions {
  /** The interface of the segment that the addresses belong to. */
  readonly device: string
  readonly run: RunProgram
  readonly clock: Clock
  readonly log: Logger
}

const lookMs = 500
const claimMs = 1_000

/**
 * Announces addresses on one segment: of all edges that serve an address one owns it, and its kernel answers ARP
 * and neighbour solicitations for it (`domain/ownership.ts` says which one). A stop of this process changes
 * nothing in the kernel: it goes on answering until another edge claims the address.
 * @throws OperatingError when this process may not, or nft, ip or the interface is missing
 */
export const createL2Herald = async (options: L2HeraldOptions): Promise<Herald> => {
  const { device, run } = options
  const mac = await readOwnMac(run, device)
  const table = createSegmentTable(run, device, mac)
  await table.open()
  return createHerald({ ...options, mac, table })
}

interface Parts extends L2HeraldOptions {
  readonly mac: string
  readonly table: SegmentTable
}

const createHerald = (parts: Parts): Herald => {
  const { device, run, clock, log, mac, table } = parts
  const wanted = new Set<IpAddress>()
  const pending = createPending()
  const stop = new AbortController()
  let owned = new Map<IpAddress, Ownership>()
  let trouble: string | undefined = 'the segment was not looked at yet'
  let claimedAt = 0
  let running: Promise<void> | undefined

  const decide = (segment: Segment): ReadonlyMap<IpAddress, Ownership> =>
    new Map(
      [...wanted].map((ip) => {
        const heard = { claimedBy: segment.heard.get(ip), answers: segment.answered.has(ip) }
        return [ip, ownershipAfter(owned.get(ip), ip, heard, { mac, now: clock.now() })]
      }),
    )
  /** What is ours is guarded while it is on the interface, and is on the interface before it is claimed. */
  const makeSo = async (segment: Segment, ours: ReadonlySet<IpAddress>): Promise<void> => {
    const watched = new Set(wanted)
    const placed = await placedOn(run, device)
    const gone = [...segment.placed].filter((ip) => !ours.has(ip) && placed.has(ip))
    const missing = [...ours].filter((ip) => !placed.has(ip))
    await edit(gone.map((ip) => `addr del ${hostOf(ip)} dev ${device}`))
    await table.write(segment, { watched, placed: ours, answered: ours })
    await edit(missing.map((ip) => `addr add ${hostOf(ip)} dev ${device} ${flagsOf(ip)}`))
  }
  const edit = async (lines: readonly string[]): Promise<void> => {
    if (lines.length > 0) await run(['ip', '-batch', '-'], lines.join('\n') + '\n')
  }
  const claim = async (ours: readonly IpAddress[]): Promise<void> => {
    const six = ours.filter((ip) => ip.includes(':'))
    const four = ours.filter((ip) => !ip.includes(':'))
    const send = async (frames: readonly Uint8Array[], length: number): Promise<void> => {
      if (frames.length === 0) return
      const argv = ['socat', '-u', '-b', String(length), '-', `INTERFACE:${device}`]
      await run(argv, Buffer.concat(frames))
    }
    await send(
      four.map((ip) => arpClaim(mac, ip)),
      frameLength.IPv4,
    )
    await send(
      six.map((ip) => neighbourClaim(mac, ip)),
      frameLength.IPv6,
    )
  }
  const noteTurns = (next: ReadonlyMap<IpAddress, Ownership>): readonly IpAddress[] => {
    const isOwner = (of: ReadonlyMap<IpAddress, Ownership>) => (ip: IpAddress) =>
      of.get(ip)?.status === 'owner'
    const taken = [...next.keys()].filter((ip) => isOwner(next)(ip) && !isOwner(owned)(ip))
    const left = [...owned.keys()].filter((ip) => isOwner(owned)(ip) && !isOwner(next)(ip))
    if (taken.length > 0) log.info({ addresses: taken.slice(0, 5) }, 'answers for addresses')
    if (left.length > 0) log.info({ addresses: left.slice(0, 5) }, 'answers no more for addresses')
    return taken
  }
  const look = async (): Promise<void> => {
    const turn = pending.begin()
    const segment = await table.read()
    const next = decide(segment)
    const ours = [...next].flatMap(([ip, { status }]) => (status === 'owner' ? [ip] : []))
    await makeSo(segment, new Set(ours))
    const taken = noteTurns(next)
    owned = new Map(next)
    const contested = ours.filter((ip) => segment.heard.has(ip))
    const isTime = clock.now() - claimedAt >= claimMs
    if (isTime) claimedAt = clock.now()
    await claim(isTime ? ours : [...new Set([...taken, ...contested])])
    const settled = (address: string): boolean => {
      const ownership = next.get(ipAddress.parse(address))
      return ownership === undefined || ownership.status !== 'listening'
    }
    pending.done({ addresses: turn.addresses.filter(settled) })
  }
  const runOn = async (): Promise<void> => {
    for (; !stop.signal.aborted; await clock.sleep(lookMs, stop.signal)) {
      try {
        await look()
        trouble = undefined
      } catch (error) {
        if (!(error instanceof OperatingError)) throw error
        const problem = explainError(error)
        if (trouble === undefined) log.error({ problem }, 'cannot look after the segment')
        trouble = problem
      }
    }
  }
  return {
    lingerMs: 0,
    tell: (changes) => {
      for (const [address, announced] of changes) {
        const ip = ipAddress.parse(address)
        if (announced) wanted.add(ip)
        else wanted.delete(ip)
      }
      running ??= runOn()
      return pending.add(changes.keys())
    },
    problem: () => trouble,
    close: async () => {
      stop.abort()
      await running
    },
  }
}

const hostOf = (ip: IpAddress): string => (ip.includes(':') ? `${ip}/128` : `${ip}/32`)
/** Never the source of what this machine sends by itself; there is nobody to ask whether it is taken. */
const flagsOf = (ip: IpAddress): string => (ip.includes(':') ? 'nodad preferred_lft 0' : '')

const links = z.array(z.object({ addr_info: z.array(z.object({ local: z.string().optional() })) }))

/** The addresses of an interface. */
const placedOn = async (run: RunProgram, device: string): Promise<ReadonlySet<string>> => {
  const parsed = links.safeParse(JSON.parse(await run(['ip', '-j', 'addr', 'show', 'dev', device])))
  if (!parsed.success) throw new OperatingError('ip listed addresses that are not understood')
  return new Set(parsed.data.flatMap((link) => link.addr_info.flatMap(({ local }) => local ?? [])))
}
