import type { Clock } from '@weir/kernel'
import { OperatingError } from '@weir/kernel'
import { z } from 'zod'
import type { RunProgram } from './run-program.ts'

/** The MAC addresses of nodes on the segment of one interface, as its kernel learns them. */
export interface Neighbours {
  /**
   * Has the kernel ask for these addresses and keep what it learns fresh, and waits for answers, at most
   * `waitMs`. Addresses that nobody answers for are missing from what `macOf` knows.
   */
  want(ips: readonly string[]): Promise<void>
  macOf(ip: string): string | undefined
  /** Reads the kernel's table again; true when an address that is wanted is another than before. */
  refresh(): Promise<boolean>
}

export interface NeighboursOptions {
  readonly run: RunProgram
  readonly device: string
  readonly clock: Clock
  readonly waitMs?: number
}

const neighbour = z.array(
  z.object({ dst: z.string(), lladdr: z.string().optional(), state: z.array(z.string()) }),
)

/** As long as the kernel itself asks, three times in as many seconds, before it gives a neighbour up. */
const askedForMs = 3500
/** Between two looks while an answer is awaited. */
const lookEveryMs = 25

export const createNeighbours = (options: NeighboursOptions): Neighbours => {
  const { run, device, clock, waitMs = askedForMs } = options
  const wanted = new Set<string>()
  let macs = new Map<string, string>()

  const read = async (): Promise<boolean> => {
    const text = await run(['ip', '-j', 'neigh', 'show', 'dev', device])
    const parsed = neighbour.safeParse(text.trim() === '' ? [] : JSON.parse(text))
    if (!parsed.success) throw new OperatingError(`ip listed neighbours that are not understood`)
    const now = new Map(
      parsed.data.flatMap(({ dst, lladdr, state }): [string, string][] =>
        lladdr === undefined || state.includes('FAILED') || !wanted.has(dst) ? [] : [[dst, lladdr]],
      ),
    )
    const differs = [...wanted].some((ip) => macs.get(ip) !== now.get(ip))
    macs = now
    return differs
  }
  const askFor = async (ips: readonly string[]): Promise<void> => {
    const lines = ips.map((ip) => `neigh replace ${ip} dev ${device} managed\n`)
    await run(['ip', '-force', '-batch', '-'], lines.join(''))
  }
  return {
    macOf: (ip) => macs.get(ip),
    refresh: async () => {
      if (wanted.size === 0) return false
      const differs = await read()
      // Somebody flushed the table, or the interface was down.
      const lost = [...wanted].filter((ip) => !macs.has(ip))
      if (lost.length > 0) await askFor(lost)
      return differs
    },
    want: async (ips) => {
      const fresh = ips.filter((ip) => !wanted.has(ip))
      if (fresh.length === 0) return
      for (const ip of fresh) wanted.add(ip)
      await askFor(fresh)
      const until = clock.now() + waitMs
      await read()
      while (fresh.some((ip) => !macs.has(ip)) && clock.now() < until) {
        await clock.sleep(lookEveryMs)
        await read()
      }
    },
  }
}

const link = z.array(z.object({ address: z.string() })).min(1)

/** The MAC address of an interface here. @throws OperatingError when there is none of that name */
export const readOwnMac = async (run: RunProgram, device: string): Promise<string> => {
  const parsed = link.safeParse(JSON.parse(await run(['ip', '-j', 'link', 'show', 'dev', device])))
  const [own] = parsed.success ? parsed.data : []
  if (own !== undefined) return own.address
  throw new OperatingError(
    `interface ${device} has no MAC address; the kernel data plane needs one`,
  )
}
