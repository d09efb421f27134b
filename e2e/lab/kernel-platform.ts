import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { findBinary, startChild, type Child } from '@weir/embedded'
import { findKubernetesBinaries, goSourceDir } from '@weir/minicluster'
import { eventually } from '@weir/testing'
import { bgpProblem, startBgp, type LabBgp } from '../../services/edge/rig/bgp.ts'
import { addressOf, createLab, labProblem, pools, type Lab } from '../../services/edge/rig/lab.ts'
import { childEnvironment } from '../harness/environment.ts'
import { keepRunning } from '../../cli/up/keep-running.ts'
import { createControl, openControl, type Said } from './control.ts'
import { watchRules, type RuleChanges } from './monitors.ts'
import { createPods, type Pods } from './pods.ts'
import {
  controlPorts,
  edgeNames,
  nodeNames,
  podAddress,
  soon,
  type EdgeName,
  type NodeName,
} from './places.ts'

export { edgeNames, type EdgeName } from './places.ts'

const root = resolve(import.meta.dirname, '../..')

/**
 * The whole platform in the lab: weir's control plane and a tenant's API server in one namespace, an edge agent
 * with its gobgpd in each of two, and on each of three nodes a real kube-proxy. Pods are processes in namespaces of
 * their own. The router shares flows among the edges that announce an address.
 */
export interface KernelPlatform {
  /** Its `routeTo` goes before what the edges announce; `routeTo` both of them ends that. */
  readonly lab: Lab
  readonly bgp: LabBgp
  /** Files of this platform, gone when it stops. */
  readonly folder: string
  readonly pods: Pods
  /** The variables with which kubectl and the command work in the control plane's namespace. */
  session(): Readonly<Record<string, string>>
  /** In the first tenant's cluster. */
  kubectl: Kubectl
  /** In the other tenant's, which has no nodes. */
  kubectlOfOther: Kubectl
  /** The command, as the operator, of the first tenant; everything it printed, and its exit code. */
  weir(args: readonly string[]): Promise<Said>
  /** SIGKILLs everything in the control plane's namespace at once. */
  killControlPlane(): Promise<void>
  startControlPlane(): Promise<void>
  /** Counts what programs change in the edges' tables from now on; packets change none of that. */
  watchRules(): Promise<RuleChanges>
  killAgent(edge: EdgeName): Promise<void>
  /** Its process; it has a mount namespace of its own. */
  pidOfAgent(edge: EdgeName): number
  /** Resolves when it goes on with what it served last. */
  startAgent(edge: EdgeName): Promise<void>
  /** Resolves when it has gone through every order of the bus and given up what nobody ordered. */
  agentLooked(edge: EdgeName): Promise<void>
  /** Starts an edge that proxies, of another fleet, beside the control plane; it ends with that. */
  startProxy(edge: string, fleet: string): Promise<void>
  /** Another one is started in its place. */
  killKubeProxy(node: NodeName): Promise<void>
  stop(): Promise<void>
}

export type Kubectl = (args: readonly string[], input?: string) => Promise<string>

/** Why this platform cannot run here; undefined when it can. */
export const platformProblem = async (): Promise<string | undefined> => {
  const problem = (await labProblem()) ?? (await bgpProblem())
  if (problem !== undefined) return problem
  const { env } = process
  if (findKubernetesBinaries({ env }) === undefined) return 'npm run binaries -- kubernetes'
  if (findBinary('kube-proxy', { env, goSourceDir }) === undefined) return 'there is no kube-proxy'
  if (findBinary('nats-server', { env }) === undefined) return 'npm run binaries -- nats-server'
  return undefined
}

/** @param options `proxyArguments`: beyond what every kube-proxy of the lab is started with */
export const startKernelPlatform = async (
  options: { readonly proxyArguments?: readonly string[] } = {},
): Promise<KernelPlatform> => {
  const lab = heedingEdges(await createLab('route'))
  const folder = mkdtempSync(join(tmpdir(), 'weir-lab-'))
  const env = childEnvironment(join(folder, 'home'))
  mkdirSync(join(folder, 'home'))
  const children = new Map<string, Child>()
  const startOn = async (host: Parameters<Lab['spaceOf']>[0], part: Part): Promise<Child> => {
    const child = await startChild({
      name: `${host}-${part.name}`,
      runDir: join(folder, 'run'),
      program: '/usr/sbin/ip',
      args: ['netns', 'exec', lab.spaceOf(host), part.program, ...part.args],
      env: { ...env, ...part.env },
      stopSignal: 'SIGTERM',
      deathSignal: 'SIGKILL',
    })
    children.set(child.name, child)
    return child
  }
  const control = createControl({ lab, folder, env })
  const kubectlWith =
    (kubeconfig: string): Kubectl =>
    (args, input) => {
      const program = findBinary('kubectl', { env: process.env, goSourceDir }) ?? 'kubectl'
      const config = `--kubeconfig=${join(folder, 'control', kubeconfig)}`
      return lab.on('control')([program, config, ...args], input)
    }
  const kubectl = kubectlWith('kubeconfig')
  const kubeProxies: { stop(): Promise<void> }[] = []
  const pods = createPods({ lab, kubectl })
  let bgp: LabBgp | undefined
  const startAgentOn = async (host: EdgeName | 'control', part: Part): Promise<void> => {
    const agent = await startOn(host, part)
    await eventually(() => agent.lastWords().includes('serves its last good state'), soon)
  }
  const startAgent = (edge: EdgeName): Promise<void> =>
    startAgentOn(edge, agentOf({ edge, folder, env: announcing(edge, bgp?.apiOf(edge) ?? '') }))
  const startKubeProxy = async (node: NodeName): Promise<void> => {
    const program = findBinary('kube-proxy', { env: process.env, goSourceDir }) ?? ''
    const own = proxyArguments(node, join(folder, 'control/kubeconfig.nodes'))
    const args = [...own, ...(options.proxyArguments ?? [])]
    const start = (): Promise<Child> => startOn(node, { name: 'kube-proxy', program, args })
    // It ends itself when its Node changes address or goes, and counts on a kubelet to start it again.
    kubeProxies.push(await keepRunning({ name: node, start, onRestart: () => undefined }))
  }
  const stop = async (): Promise<void> => {
    await Promise.all(kubeProxies.map((each) => each.stop()))
    await Promise.all([...children.values()].map((child) => child.kill()))
    await pods.stop()
    await control.kill()
    await bgp?.stop()
    await lab.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await openControl(lab)
    bgp = await startBgp(lab)
    await Promise.all([control.start(), ...nodeNames.map((node) => openNode(lab, node))])
    await Promise.all([...edgeNames.map(startAgent), ...nodeNames.map(startKubeProxy)])
  } catch (error) {
    await stop()
    throw error
  }
  return {
    lab,
    bgp,
    folder,
    session: () => ({ ...control.session(), KUBECONFIG: join(folder, 'control/kubeconfig') }),
    pods,
    kubectl,
    kubectlOfOther: kubectlWith('kubeconfig.other'),
    weir: (args) => control.weir(args),
    killControlPlane: () => control.kill(),
    startControlPlane: () => control.start(),
    watchRules: () => watchRules(lab),
    killAgent: async (edge) => children.get(`${edge}-agent`)?.kill(),
    pidOfAgent: (edge) => children.get(`${edge}-agent`)?.pid ?? 0,
    startAgent,
    agentLooked: async (edge) => {
      const words = () => children.get(`${edge}-agent`)?.lastWords() ?? ''
      await eventually(() => words().includes('went through every order of the bus'), soon)
    },
    startProxy: (edge, fleet) =>
      startAgentOn('control', agentOf({ edge, folder, env: proxying(fleet) })),
    killKubeProxy: async (node) => children.get(`${node}-kube-proxy`)?.kill(),
    stop,
  }
}

/** What is said to the router goes before what it hears; nothing is said to send to all edges. */
const heedingEdges = (lab: Lab): Lab => ({
  ...lab,
  routeTo: async (...edges) => {
    if (edgeNames.some((edge) => !edges.includes(edge))) return lab.routeTo(...edges)
    for (const [family, pool] of [['-4', pools.IPv4] as const, ['-6', pools.IPv6] as const]) {
      const shown = await lab.on('router')(['ip', family, 'route', 'show', 'exact', pool])
      if (shown !== '') await lab.on('router')(['ip', family, 'route', 'del', pool])
    }
  },
})

interface Part {
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const announcing = (edge: EdgeName, bgpApi: string) => ({
  WEIR_FLEET: 'local',
  WEIR_FLEET_DATA_PLANE: 'kernel',
  WEIR_EDGE_ANNOUNCE: 'bgp',
  WEIR_EDGE_BGP_API: bgpApi,
  WEIR_EDGE_BGP_NEXT_HOP_V6: addressOf(edge).IPv6,
  HEALTH_PORT: '9090',
})

const proxying = (fleet: string) => ({
  // On the machine itself nothing leads to it from outside.
  NATS_URL: `nats://127.0.0.1:${controlPorts.nats}`,
  WEIR_FLEET: fleet,
  WEIR_FLEET_DATA_PLANE: 'userspace',
  HEALTH_PORT: '9190',
})

interface Agent {
  readonly edge: string
  readonly folder: string
  /** What makes it an edge of its fleet. */
  readonly env: Readonly<Record<string, string>>
}

const agentOf = ({ edge, folder, env }: Agent): Part => ({
  name: 'agent',
  program: process.execPath,
  args: ['--disable-warning=ExperimentalWarning', join(root, 'services/edge/main.ts')],
  env: {
    NATS_URL: `nats://${addressOf('control').IPv4}:${controlPorts.nats}`,
    WEIR_EDGE_ID: edge,
    WEIR_EDGE_RETURN_SECONDS: '3',
    WEIR_EDGE_STATE_DIR: join(folder, edge),
    ...env,
  },
})

/** The last four keep it from setting what a namespace may not. */
const proxyArguments = (node: NodeName, kubeconfig: string): readonly string[] => [
  `--kubeconfig=${kubeconfig}`,
  '--proxy-mode=nftables',
  `--hostname-override=${node}`,
  '--cluster-cidr=10.244.0.0/16,fd00:10:244::/48',
  '--healthz-bind-address=0.0.0.0:10256',
  '--metrics-bind-address=127.0.0.1:10249',
  '--conntrack-max-per-core=0',
  '--conntrack-min=0',
  '--conntrack-tcp-timeout-established=0',
  '--conntrack-tcp-timeout-close-wait=0',
]

/** A bridge for the node's pods, and routes to those of the others. */
const openNode = async (lab: Lab, node: NodeName): Promise<void> => {
  const { IPv4, IPv6 } = podAddress(node, 1)
  const lines = [
    // Else it has the least address of its pods' ports, and those that stay go on sending to that when it goes.
    'link add pods address 02:00:0a:f4:00:01 type bridge',
    'link set pods up',
    `addr add ${IPv4}/24 dev pods`,
    `addr add ${IPv6}/64 dev pods nodad`,
    ...podRoutes(node),
  ]
  await lab.on(node)(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
}

/** Lines for `ip -batch`: where the pods of the other nodes are. */
export const podRoutes = (node: NodeName): readonly string[] =>
  nodeNames
    .filter((other) => other !== node)
    .flatMap((other) => [
      `route replace ${podAddress(other, 0).IPv4}/24 via ${addressOf(other).IPv4}`,
      `route replace ${podAddress(other, 0).IPv6}/64 via ${addressOf(other).IPv6}`,
    ])
