/** What an echo pod knows about one connection or datagram; it tells the client all of it. */
export interface Flow {
  /** Pod name. */
  readonly pod: string
  /** Name of the pod's node. */
  readonly node: string
  readonly client: { readonly address: string; readonly port: number }
  /** The port in the pod. */
  readonly port: number
}

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** One line of facts, such as `pod=web-1 node=node-2 client=127.0.0.7:4711 protocol=tcp port=80`. */
export const factsOf = (flow: Flow, protocol: 'tcp' | 'udp'): string =>
  `pod=${flow.pod} node=${flow.node} client=${bracketed(flow.client.address)}:${flow.client.port}` +
  ` protocol=${protocol} port=${flow.port}`
