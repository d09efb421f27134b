import type { Clock, Ids } from '@weir/kernel'
import type { Socket } from 'node:net'
import { createBalance, type Balance } from './balance.ts'
import type { EchoPod } from './echo-pod.ts'
import type { Flow } from './flow.ts'
import { proxyHealth, proxyHealthPort, serviceHealth, type HealthAnswer } from './health.ts'
import { createListeners } from './listeners.ts'
import { openHealth, openTcp, openUdp, type Peer } from './node-ports.ts'
import type { PodPlaces, PodPlace } from './pod-places.ts'
import type { NodePortRule, NodeRules } from './rules.ts'

/** One node's kube-proxy stand-in, on the node's own address only. */
export interface NodeProxy {
  /** The node's name. */
  readonly node: string
  /** What the node does for a Service from now on; undefined when the Service is gone. */
  apply(service: string, rules: NodeRules | undefined): void
  /** Resolves when every port that was asked for is open or was tried. */
  settled(): Promise<void>
  /** Takes no new client and answers no datagram; established connections go on. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Closes the ports for good; connections end with their pods. */
  close(): Promise<void>
}

export interface NodeProxyOptions {
  readonly node: { readonly name: string; readonly address: string }
  readonly pods: PodPlaces
  readonly echo: EchoPod
  /** Whether the node takes new load; asked for each `/healthz`. */
  readonly eligible: () => boolean
  readonly clock: Clock
  readonly ids: Ids
  readonly onTrouble: (line: string) => void
}

interface Route {
  rule: NodePortRule
  readonly balance: Balance
  /** Endpoint address per UDP client, so that a flow stays where it began. */
  readonly flows: Balance
}

/** Conntrack forgets an answered UDP flow after this long. */
const udpFlowMs = 120_000

const routeKey = ({ protocol, address, port }: NodePortRule): string =>
  `${protocol.toLowerCase()}/${address === undefined ? '' : `${address}:`}${port}`

export const createNodeProxy = (options: NodeProxyOptions): NodeProxy => {
  const { node, pods, echo, clock, ids } = options
  const onTrouble = (line: string): void => options.onTrouble(`${node.name}: ${line}`)
  const listeners = createListeners({ clock, ids, onTrouble })
  const routes = new Map<string, Route>()
  const applied = new Map<string, NodeRules>()
  const healthOwners = new Map<number, string>()
  const at = (port: number): Peer => ({ address: node.address, port })

  const flowOf = (rule: NodePortRule, pod: PodPlace, port: number, client: Peer): Flow => ({
    pod: pod.name,
    node: pod.node,
    client: rule.keepsClient ? client : { address: node.address, port: client.port },
    port,
  })
  const onConnection = (key: string, socket: Socket, client: Peer): void => {
    const route = routes.get(key)
    const endpoint = route?.balance.choose(route.rule, client.address)
    const pod = endpoint && pods.at(endpoint.address)
    // The slice may name a pod that is gone, or was never ours: nobody is there to answer.
    if (!route || !endpoint || !pod) return void socket.resetAndDestroy()
    pod.adopt(socket)
    echo.tcp(socket, flowOf(route.rule, pod, endpoint.port, client))
  }
  const onDatagram = (key: string, payload: Buffer, client: Peer): Buffer | undefined => {
    const route = routes.get(key)
    if (!route) return undefined
    const { rule, balance, flows } = route
    const endpoint =
      rule.affinityMs === undefined
        ? flows.choose({ ...rule, affinityMs: udpFlowMs }, `${client.address}:${client.port}`)
        : balance.choose(rule, client.address)
    const pod = endpoint && pods.at(endpoint.address)
    return endpoint && pod && echo.udp(payload, flowOf(rule, pod, endpoint.port, client))
  }

  const route = (rule: NodePortRule): void => {
    const key = routeKey(rule)
    const known = routes.get(key)
    if (known?.rule.service === rule.service) {
      known.rule = rule
      return
    }
    routes.set(key, {
      rule,
      balance: createBalance(clock, ids),
      flows: createBalance(clock, ids),
    })
    const door = rule.address === undefined ? at(rule.port) : { ...rule, address: rule.address }
    listeners.want(key, () =>
      rule.protocol === 'TCP'
        ? openTcp(door, (socket, client) => onConnection(key, socket, client))
        : openUdp(door, (payload, client) => onDatagram(key, payload, client)),
    )
  }
  const unroute = (key: string, service: string): void => {
    // A newer Service may have been given the port before we heard that the older one let it go.
    if (routes.get(key)?.rule.service !== service) return
    routes.delete(key)
    listeners.want(key, undefined)
  }
  const answerHealth = (port: number): HealthAnswer => {
    const health = applied.get(healthOwners.get(port) ?? '')?.health
    // Like kube-proxy, whose handler writes nothing for a Service that has just gone.
    return health?.port === port ? serviceHealth(health) : { status: 200, headers: {}, body: '' }
  }
  const watchHealth = (service: string, before: number | undefined, after: number | undefined) => {
    if (before === after) return
    if (before !== undefined && healthOwners.get(before) === service) {
      healthOwners.delete(before)
      listeners.want(`health/${before}`, undefined)
    }
    if (after === undefined) return
    healthOwners.set(after, service)
    listeners.want(`health/${after}`, () => openHealth(at(after), () => answerHealth(after)))
  }

  listeners.want(`health/${proxyHealthPort}`, () =>
    openHealth(at(proxyHealthPort), (path) => proxyHealth(path, options.eligible(), clock.now())),
  )
  return {
    node: node.name,
    apply: (service, rules) => {
      const before = applied.get(service)
      if (rules) applied.set(service, rules)
      else applied.delete(service)
      const kept = new Set(rules?.ports.map(routeKey))
      for (const old of before?.ports ?? []) {
        if (!kept.has(routeKey(old))) unroute(routeKey(old), service)
      }
      rules?.ports.forEach(route)
      watchHealth(service, before?.health?.port, rules?.health?.port)
    },
    settled: () => listeners.settled(),
    pause: () => listeners.pause(),
    resume: () => listeners.resume(),
    close: () => listeners.close(),
  }
}
