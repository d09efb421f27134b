import { OperatingError } from '@weir/kernel'
import { z } from 'zod'
import { tunnelMacOf } from '../../domain/tunnel-mac.ts'
import type { RunProgram } from './run-program.ts'

/** How nodes are reached that are not on the segment. */
export interface TunnelOptions {
  /** The number of the VXLAN, 1 to 16777215. */
  readonly vni: number
}

/** A VXLAN without learning: which node is where is told to it, so only nodes of orders are reached. */
export interface Tunnel {
  readonly device: string
  /** Changes when somebody deletes the interface and another comes in its place. */
  readonly index: number
  /** Has packets with these nodes' MAC addresses go to them. */
  reach(ips: readonly string[]): Promise<void>
}

/** The port that IANA gave to VXLAN. */
const vxlanPort = 4789

const links = z.array(
  z.object({
    ifindex: z.number(),
    linkinfo: z.object({ info_data: z.object({ id: z.number(), port: z.number() }) }),
  }),
)

/** Makes the interface, or goes on with the one that is there. @throws OperatingError when it cannot */
export const openTunnel = async (run: RunProgram, { vni }: TunnelOptions): Promise<Tunnel> => {
  const device = `weirvx${vni}`
  const show = ['ip', '-d', '-j', 'link', 'show', 'dev', device]
  const isThere = (await run(['ip', '-br', 'link'])).split('\n').some((line) => {
    const [name] = line.split(/[\s@]/)
    return name === device
  })
  if (!isThere) {
    const kind = ['type', 'vxlan', 'id', String(vni), 'dstport', String(vxlanPort), 'nolearning']
    await run(['ip', 'link', 'add', device, ...kind])
  }
  await run(['ip', 'link', 'set', device, 'up'])
  const [link] = links.safeParse(JSON.parse(await run(show))).data ?? []
  const data = link?.linkinfo.info_data
  if (link === undefined || data?.id !== vni || data.port !== vxlanPort) {
    throw new OperatingError(`interface ${device} is not the VXLAN ${vni} of weir; delete it`)
  }
  return {
    device,
    index: link.ifindex,
    reach: async (ips) => {
      const lines = ips.map((ip) => `fdb replace ${tunnelMacOf(ip)} dev ${device} dst ${ip}\n`)
      if (lines.length > 0) await run(['bridge', '-batch', '-'], lines.join(''))
    },
  }
}
