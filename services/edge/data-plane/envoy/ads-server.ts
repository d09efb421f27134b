import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { OperatingError } from '@weir/kernel'
import { chmodSync, rmSync } from 'node:fs'
import { z } from 'zod'
import { xdsTypes, type DeltaRequest, type XdsType } from '../../domain/delta-xds.ts'
import { typeUrls, type EnvoyApi } from './protos.ts'
import type { TellableResponse, XdsStore } from './xds-store.ts'

export interface AdsServer {
  /** Whether Envoy listens to what it is told. */
  connected(): boolean
  close(): Promise<void>
}

export interface AdsServerOptions {
  readonly api: EnvoyApi
  readonly store: XdsStore
  /** The unix socket by which Envoy asks. */
  readonly path: string
  /** A request that breaks the rules of the protocol; it is answered by nothing. */
  readonly onProblem: (problem: string) => void
}

const names = z.array(z.string()).default([])
/** DeltaDiscoveryRequest; proto-loader leaves out what is not set. */
const request = z.object({
  type_url: z.string(),
  resource_names_subscribe: names,
  resource_names_unsubscribe: names,
  initial_resource_versions: z.record(z.string(), z.string()).default({}),
  response_nonce: z.string().default(''),
  error_detail: z.object({ message: z.string().default('') }).nullish(),
})

/** Linux bounds the path of a unix socket. */
const pathMax = 107

/**
 * Serves delta ADS to the Envoy of this machine.
 * @throws OperatingError when the socket cannot be made
 */
export const serveAds = async (options: AdsServerOptions): Promise<AdsServer> => {
  const { api, store, path } = options
  if (Buffer.byteLength(path) > pathMax) {
    throw new OperatingError(
      `the path of the socket ${path} is too long; shorten WEIR_EDGE_STATE_DIR`,
    )
  }
  let streams = 0
  const follow = (call: ServerDuplexStream<unknown, unknown>): void => {
    const stream = store.open((responses) => {
      for (const response of responses) call.write(written(response))
    })
    streams += 1
    call.on('data', (raw: unknown) => {
      const heard = parse(raw)
      if (typeof heard === 'string') options.onProblem(heard)
      else stream.hear(heard)
    })
    call.on('end', () => call.end())
    // Envoy is gone, or its agent: the next stream begins anew.
    call.on('error', () => undefined)
    call.on('close', () => {
      streams -= 1
      stream.close()
    })
  }
  const server = new Server({ 'grpc.max_receive_message_length': -1 })
  server.addService(api.discovery, { DeltaAggregatedResources: follow })
  rmSync(path, { force: true })
  await bind(server, path)
  chmodSync(path, 0o600)
  return {
    connected: () => streams > 0,
    close: async () => {
      server.forceShutdown()
      rmSync(path, { force: true })
      await Promise.resolve()
    },
  }
}

const bind = (server: Server, path: string): Promise<void> =>
  new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (cause) => {
      if (!cause) return resolve()
      return reject(new OperatingError(`cannot listen at ${path} for Envoy`, { cause }))
    })
  })

const typeOf = (url: string): XdsType | undefined => xdsTypes.find((type) => typeUrls[type] === url)

const parse = (raw: unknown): DeltaRequest | string => {
  const parsed = request.safeParse(raw)
  if (!parsed.success) return `Envoy asked in words that nobody knows: ${parsed.error.message}`
  const { data } = parsed
  const type = typeOf(data.type_url)
  if (!type) return `Envoy asked for ${data.type_url}, which an edge does not have`
  return {
    type,
    subscribe: data.resource_names_subscribe,
    unsubscribe: data.resource_names_unsubscribe,
    initialVersions: new Map(Object.entries(data.initial_resource_versions)),
    nonce: data.response_nonce,
    error: data.error_detail ? data.error_detail.message || 'refused without a word' : undefined,
  }
}

const written = ({ type, nonce, changed, removed, bodies }: TellableResponse): object => ({
  type_url: typeUrls[type],
  nonce,
  removed_resources: removed,
  resources: changed.map(([name, version], at) => ({
    name,
    version,
    resource: { type_url: typeUrls[type], value: bodies[at] },
  })),
})
