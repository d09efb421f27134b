import { readFile } from 'node:fs/promises'
import {
  frontend,
  frontendText,
  type DesiredResource,
  type Frontend,
  type ResourceFrontend,
} from '@weir/contract'
import { expect } from 'vitest'
import type { Serving } from '../../libs/drivers/driver.conformance.ts'
import { askTcp, askUdp } from '../../services/edge/rig/sockets.ts'
import { weightsOf } from './shares.ts'
import type { StandinNodes } from './standin-nodes.ts'

/** Clients of a proxy on loopback. */
export interface Clients {
  /** The address of one that nobody has seen yet, within the source ranges of the suite. */
  fresh(): string
  /** One outside of them. */
  readonly outside: string
}

export const createClients = (): Clients => {
  let last = 0
  return {
    fresh: () => {
      last += 1
      return `127.100.${Math.floor(last / 250)}.${1 + (last % 250)}`
    },
    outside: '127.1.0.99',
  }
}

export interface ByTraffic {
  readonly nodes: StandinNodes
  readonly clients: Clients
  /** Whether an IPv4 address is one of those that only this proxy serves. */
  isVip(ip: string): boolean
}

/**
 * What a proxy of this machine does for the resources that it holds, by looking at what listens here and by
 * sending flows: which nodes they come to and at what ports, in which shares, whether a client stays with
 * its node and is let in at all, and what precedes its bytes. What flows cannot tell is as it was ordered: the
 * marks, which blocks the source ranges are, and of a single node that clients stay with it.
 */
export const readByTraffic = async (
  { nodes, clients, isVip }: ByTraffic,
  held: readonly DesiredResource[],
): Promise<readonly Serving[]> => {
  const listening = await listeners(isVip)
  await nodes.answerAt(held.flatMap(({ frontends }) => frontends))
  const served: Serving[] = []
  for (const desired of held) {
    const { marks, generation, targets } = desired
    const open: ResourceFrontend[] = []
    for (const at of desired.frontends) {
      const isThere = listening.some((socket) => frontendText(socket) === frontendText(at))
      if (isThere || (isIpv6(at) && (await askByTcp(at)) !== undefined)) open.push(at)
    }
    // Without a node there is nothing to see but that nobody listens.
    const idle = targets.length === 0
    if (idle) expect(open).toEqual([])
    const seen: Seen[] = []
    for (const at of open) seen.push(await sendFlows(at, desired, clients))
    const [first] = seen
    served.push({
      installation: marks.installation,
      key: marks.key,
      epoch: marks.epoch,
      generation,
      frontends: (idle ? desired.frontends : open).map(({ protocol, port }) => ({
        protocol,
        port,
      })),
      targets: seen.flatMap(({ reached }) => reached),
      sourceRanges: first === undefined || first.restricted ? desired.sourceRanges : [],
      health: await nodes.askedBy(desired),
      proxyProtocol: seen.some(({ proxied }) => proxied) ? 'v2' : 'none',
      affinity: first === undefined ? desired.affinity.kind : first.affinity,
    })
  }
  return served
}

/** Who listens at an address of the proxy's and at no frontend of what is held. */
export const strangers = async (
  { isVip }: Pick<ByTraffic, 'isVip'>,
  held: readonly DesiredResource[],
): Promise<readonly string[]> => {
  const ordered = new Set(held.flatMap(({ frontends }) => frontends.map(frontendText)))
  return (await listeners(isVip)).map(frontendText).filter((text) => !ordered.has(text))
}

interface Seen {
  readonly reached: Serving['targets']
  readonly restricted: boolean
  readonly proxied: boolean
  readonly affinity: Serving['affinity']
}

const isIpv6 = ({ ip }: Frontend): boolean => ip.includes(':')

/** Four times round, so that shares are those of the weights. */
const rounds = 4
/** Clients whose node follows from a hash of their address: five standard deviations are an eighth. */
const hashed = 400

const sendFlows = async (
  at: ResourceFrontend,
  { targets, affinity, proxyProtocol, sourceRanges }: DesiredResource,
  clients: Clients,
): Promise<Seen> => {
  const ask = at.protocol === 'UDP' ? askByUdp : askByTcp
  const round = rounds * targets.reduce((sum, { weight }) => sum + weight, 0)
  const count = affinity.kind === 'ClientIP' && targets.length > 1 ? hashed : round
  // Of IPv6 the loopback has one address alone.
  const fresh = (): string | undefined => (isIpv6(at) ? undefined : clients.fresh())
  const answers: string[] = []
  for (let flow = 0; flow < count; flow += 1) answers.push((await ask(at, fresh())) ?? '')
  const client = fresh()
  const staying = new Set<string | undefined>()
  for (let flow = 0; flow < round; flow += 1) staying.add(await ask(at, client))
  const places = Map.groupBy(answers, (answer) => answer.split(' ').slice(0, 2).join(' '))
  const counted = new Map(
    [...places].map(([place, own]) => [place.split(' ')[0] ?? '', own.length]),
  )
  const ports = new Set([...places.keys()].map((place) => Number(place.split(' ')[1])))
  const weights = weightsOf(counted, targets)
  const keeps = staying.size === 1 ? 'ClientIP' : 'None'
  return {
    reached: [...ports].flatMap((nodePort) => weights.map((node) => ({ ...node, nodePort }))),
    restricted: isIpv6(at)
      ? sourceRanges.length > 0
      : (await ask(at, clients.outside)) === undefined,
    // A datagram has no header of its own.
    proxied:
      at.protocol === 'UDP'
        ? proxyProtocol === 'v2'
        : answers.every((answer) => answer.endsWith('v2')),
    affinity: counted.size === 1 ? affinity.kind : keeps,
  }
}

const askByTcp = async (at: ResourceFrontend, from?: string): Promise<string | undefined> => {
  const client = from === undefined ? {} : { from }
  const answer = await askTcp({ host: at.ip, port: at.port, ...client }).catch(() => '')
  return answer === '' ? undefined : answer
}

const askByUdp = (at: ResourceFrontend, from?: string): Promise<string | undefined> =>
  askUdp({ host: at.ip, port: at.port, ...(from === undefined ? {} : { from }) }, 'who', 1000)

/** TCP sockets that listen (0A) and UDP sockets without a peer (07), with their address in hexadecimal. */
const bound = /^ *\d+: (\w{8}):(\w{4}) 00000000:0000 (?:0A|07) /gm

/** Every TCP listener and UDP socket of this network namespace at such an IPv4 address. */
const listeners = async (isVip: ByTraffic['isVip']): Promise<readonly Frontend[]> => {
  const listed = await Promise.all(
    (['TCP', 'UDP'] as const).map(async (protocol) => {
      const text = await readFile(`/proc/net/${protocol.toLowerCase()}`, 'utf8')
      return [...text.matchAll(bound)].map(([, address = '', port = '']) => {
        const bytes = (address.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))
        return { ip: bytes.toReversed().join('.'), protocol, port: Number.parseInt(port, 16) }
      })
    }),
  )
  return frontend.array().parse(listed.flat().filter(({ ip }) => isVip(ip)))
}
