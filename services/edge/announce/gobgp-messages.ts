// What is said to gobgpd and how its answers are read; `gobgp.proto` has the fields.
import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import { assert } from '@weir/kernel'
import { join } from 'node:path'
import { z } from 'zod'
import type { HostRoute } from './gobgp.ts'

const definition = loadSync(join(import.meta.dirname, 'gobgp.proto'), {
  keepCase: true,
  longs: Number,
  defaults: true,
  // Has `Any` read as what is in it.
  json: true,
})

type Method = MethodDefinition<object, object>

const methodNamed = (name: string): Method => {
  const method = new Map<string, unknown>(Object.entries(definition['apipb.GobgpApi'] ?? {})).get(
    name,
  )
  assert(isMethod(method), `gobgp.proto has no method ${name}`)
  return method
}
const isMethod = (found: unknown): found is Method =>
  typeof found === 'object' && found !== null && 'requestSerialize' in found

export const methods = {
  AddPathStream: methodNamed('AddPathStream'),
  ListPath: methodNamed('ListPath'),
  ListPeer: methodNamed('ListPeer'),
  WatchEvent: methodNamed('WatchEvent'),
} as const

/** IANA's numbers of IPv4 and IPv6 unicast. */
export const families = { IPv4: { afi: 1, safi: 1 }, IPv6: { afi: 2, safi: 1 } } as const

/**
 * Marks our routes in gobgpd's own table: a path identifier, `weir` in ASCII. Routers are not told it unless
 * they ask for additional paths, so it does not make one edge's route differ from another's.
 */
const mark = 0x77_65_69_72
/** Ours begin here; what is redistributed from elsewhere would say INCOMPLETE. */
const originIgp = 0

const typed = (type: string, fields: object): object => ({
  '@type': `type.googleapis.com/apipb.${type}`,
  ...fields,
})

/** The same route says the same on each edge but for its next hop: routers share flows among equals only. */
export const pathOf = ({ address, nextHop, communities }: HostRoute): object => {
  const isSix = address.includes(':')
  const family = isSix ? families.IPv6 : families.IPv4
  const nlri = typed('IPAddressPrefix', { prefix: address, prefix_len: isSix ? 128 : 32 })
  const reach = isSix
    ? typed('MpReachNLRIAttribute', { family, next_hops: [nextHop], nlris: [nlri] })
    : typed('NextHopAttribute', { next_hop: nextHop })
  const tags = communities.length === 0 ? [] : [typed('CommunitiesAttribute', { communities })]
  const origin = typed('OriginAttribute', { origin: originIgp })
  return { family, nlri, identifier: mark, pattrs: [origin, reach, ...tags] }
}

const attribute = z.object({
  next_hop: z.string().optional(),
  next_hops: z.array(z.string()).optional(),
  communities: z.array(z.number()).optional(),
})

/** One answer of ListPath. */
export const listedPaths = z.object({
  destination: z.object({
    paths: z.array(
      z.object({
        nlri: z.object({ prefix: z.string().optional() }),
        pattrs: z.array(attribute),
        identifier: z.number(),
      }),
    ),
  }),
})

/** The routes with our mark in the answers of ListPath. */
export const ownRoutes = (answers: readonly z.infer<typeof listedPaths>[]): readonly HostRoute[] =>
  answers
    .flatMap(({ destination }) => destination.paths)
    .flatMap(({ nlri, pattrs, identifier }) => {
      if (identifier !== mark || nlri.prefix === undefined) return []
      const nextHop = pattrs.flatMap((each) => each.next_hop ?? each.next_hops ?? [])[0] ?? ''
      const communities = pattrs.flatMap((each) => each.communities ?? [])
      return [{ address: nlri.prefix, nextHop, communities }]
    })

/** One answer of ListPeer. */
export const listedPeer = z.object({
  peer: z.object({ state: z.object({ session_state: z.number() }) }),
})
