import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findBinary, startChild, type Child } from '@weir/embedded'
import { eventually } from '@weir/testing'
import { childEnvironment } from '../../e2e/harness/environment.ts'
import {
  platformProblem,
  startKernelPlatform,
  type KernelPlatform,
} from '../../e2e/lab/kernel-platform.ts'
import { runProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import { addressOf, type Lab } from '../../services/edge/rig/lab.ts'
import { ways, type Way } from './cells.ts'
import { addressesOf, type Place } from './load.ts'
import { agent, envoy, haproxy, webServer, type Proxy } from './proxies.ts'

/** Where the ways lead along, ready to be measured. */
export interface Stage {
  readonly lab: Lab
  readonly places: ReadonlyMap<Way, Place>
  /** Namespaces whose TCP speaks on any of the ways. */
  readonly spaces: readonly string[]
  /** Has a way's packets take it, and forgets the flows of the one before. */
  turnTo(way: Way): Promise<void>
  close(): Promise<void>
}

const packages = {
  haproxy: 'haproxy',
  iperf3: 'iperf3',
  wrk: 'wrk',
  ab: 'apache2-utils',
  conntrack: 'conntrack',
}
const podPorts = { bulk: 5201, web: 8081 }
/** In the lab's pool, and far above what the platform gives to its first Services. */
const proxyHosts = {
  envoy: '203.0.113.201',
  haproxy: '203.0.113.202',
  userspace: '203.0.113.203',
} as const
type ProxyWay = keyof typeof proxyHosts
const proxyWays = Object.keys(proxyHosts) as readonly ProxyWay[]

/** Why this can't be measured here; undefined when it can. */
export const stageProblem = async (): Promise<string | undefined> => {
  const platform = await platformProblem()
  if (platform !== undefined) return platform
  if (findBinary('envoy', { env: process.env }) === undefined) return 'npm run binaries -- envoy'
  for (const [program, debian] of Object.entries(packages)) {
    if ((await pathOf(program)) === undefined) {
      return `there is no ${program}: apt-get install ${debian}`
    }
  }
  return undefined
}

const pathOf = async (program: string): Promise<string | undefined> => {
  const said = await runProgram(['sh', '-c', `command -v ${program} || true`])
  return said.trim() || undefined
}

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'measured' },
  spec: {
    type: 'LoadBalancer',
    ipFamilies: ['IPv4'],
    selector: { app: 'measured' },
    externalTrafficPolicy: 'Local',
    ports: Object.entries(podPorts).map(([name, port]) => ({ name, port })),
  },
}
interface ServiceObject {
  readonly spec: { readonly ports: readonly { readonly name: string; readonly nodePort: number }[] }
  readonly status: {
    readonly loadBalancer: { readonly ingress?: readonly { readonly ip: string }[] }
  }
}

/**
 * A pod behind a real kube-proxy, and a Service that the platform serves through its kernel edge. Then all
 * that is no part of a way ends: the control plane, the API server and the second edge, in whose place a
 * router, HAProxy, Envoy and the userspace edge stand. Waiting, they take no time of the processors.
 */
export const openStage = async (tell: (line: string) => void): Promise<Stage> => {
  const folder = mkdtempSync(join(tmpdir(), 'weir-bench-'))
  const children: Child[] = []
  tell('starting the platform with its kernel edges, an API server and kube-proxies')
  const platform = await startKernelPlatform()
  const close = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.kill()))
    await platform.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const { lab } = platform
    const podSpace = `${lab.spaceOf('n1')}-measured-1`
    const start = async (name: string, space: string, proxy: Proxy): Promise<void> => {
      const args = ['netns', 'exec', space, proxy.program, ...proxy.args]
      const env = { ...childEnvironment(folder), ...proxy.env }
      const options = { name, runDir: join(folder, 'run'), program: '/usr/sbin/ip', args, env }
      children.push(await startChild({ ...options, stopSignal: 'SIGTERM', deathSignal: 'SIGKILL' }))
    }
    const folderOf = (name: string): string => {
      mkdirSync(join(folder, name))
      return join(folder, name)
    }
    const program = async (name: string): Promise<string> => (await pathOf(name)) ?? name
    await platform.pods.add('measured-1', 'measured', 'n1')
    const iperf = { program: await program('iperf3'), args: ['-s', '-p', `${podPorts.bulk}`] }
    await start('iperf3', podSpace, iperf)
    const web = webServer(await program('haproxy'), folderOf('web'), podPorts.web)
    await start('web', podSpace, web)
    const served = await serve(platform)
    tell('ending the control plane; kube-proxy’s rules and the kernel edge stay')
    await platform.killControlPlane()
    await platform.killAgent('e2')
    await openProxyHost(lab)
    const proxies: Record<ProxyWay, (from: Place) => Promise<Proxy>> = {
      envoy: async (from) => {
        const file = findBinary('envoy', { env: process.env }) ?? 'envoy'
        return envoy(file, { from, to: served.node, folder: folderOf('envoy') })
      },
      haproxy: async (from) => {
        const route = { from, to: served.node, folder: folderOf('haproxy') }
        return haproxy(await program('haproxy'), route)
      },
      userspace: async (from) =>
        agent('userspace', { from, to: served.node, folder: folderOf('userspace') }),
    }
    const places = new Map<Way, Place>([
      ['direct', served.node],
      ['kernel', served.vip],
      ['shorter', served.node],
    ])
    for (const way of proxyWays) {
      const from = { host: proxyHosts[way], ...podPorts }
      places.set(way, from)
      await start(way, lab.spaceOf('e2'), await proxies[way](from))
    }
    const stage = { lab, places, turnTo: (way: Way) => turnTo(lab, way), close }
    for (const [way, place] of places) {
      await stage.turnTo(way)
      await answers(lab, way, place)
    }
    return { ...stage, spaces: [lab.spaceOf('client'), lab.spaceOf('e2'), podSpace] }
  } catch (error) {
    for (const child of children) {
      if (child.how() !== undefined)
        tell(`${child.name} ended (${child.how()}): ${child.lastWords()}`)
    }
    await close()
    throw error
  }
}

/** The Service's two places: behind its address, and behind the node with the pod. */
const serve = async (platform: KernelPlatform): Promise<{ vip: Place; node: Place }> => {
  await platform.kubectl(['create', '-f', '-'], JSON.stringify(service))
  const { object, ip } = await eventually(
    async () => {
      const said = await platform.kubectl(['get', 'service', 'measured', '-o', 'json'])
      const seen: ServiceObject = JSON.parse(said)
      const [ingress] = seen.status.loadBalancer.ingress ?? []
      return ingress && { object: seen, ip: ingress.ip }
    },
    { deadlineMs: 60_000 },
  )
  const nodePort = (name: string): number =>
    object.spec.ports.find((port) => port.name === name)?.nodePort ?? 0
  const vip = { host: ip, ...podPorts }
  await platform.lab.routeTo('e1')
  await answers(platform.lab, 'kernel', vip)
  const node = { host: addressOf('n1').IPv4, bulk: nodePort('bulk'), web: nodePort('web') }
  return { vip, node }
}

const answers = async (lab: Lab, way: Way, { host, web }: Place): Promise<void> => {
  const argv = ['ab', '-q', '-n', '1', '-s', '2', `http://${host}:${web}/`]
  const deadlineMs = 60_000
  await eventually(() => lab.on('client')(argv), { deadlineMs }).catch((cause: unknown) => {
    throw new Error(`${way} does not answer at ${host}:${web}`, { cause })
  })
}

/** Makes a router and a home of proxies of the second edge, and gives the client its addresses. */
const openProxyHost = async (lab: Lab): Promise<void> => {
  const ports = 'net.ipv4.ip_local_port_range=1024 65535'
  await lab.on('e2')(['nft', 'flush', 'ruleset'])
  await lab.on('e2')(['sysctl', '-q', '-w', 'net.ipv4.ip_forward=1', ports])
  await lab.on('e2')(['sysctl', '-q', '-w', 'net.ipv4.conf.all.send_redirects=0'])
  await lab.on('e2')(['sysctl', '-q', '-w', 'net.ipv4.conf.eth0.send_redirects=0'])
  await lab.on('client')(['sysctl', '-q', '-w', ports])
  const hosts = Object.values(proxyHosts)
  await batch(lab, 'e2', [
    'route add default via 10.0.0.1',
    ...hosts.map((host) => `addr add ${host}/32 dev lo`),
  ])
  await batch(
    lab,
    'router',
    hosts.map((host) => `route add ${host}/32 via ${addressOf('e2').IPv4}`),
  )
  await batch(
    lab,
    'client',
    ways.flatMap(addressesOf).map((address) => `addr add ${address}/24 dev eth0`),
  )
}

const batch = async (
  lab: Lab,
  host: 'client' | 'router' | 'e2',
  lines: readonly string[],
): Promise<void> => {
  await lab.on(host)(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
}

const turnTo = async (lab: Lab, way: Way): Promise<void> => {
  const to = `${addressOf('n1').IPv4}/32`
  const hop = way === 'direct' ? ['via', addressOf('e2').IPv4] : []
  await lab.on('router')(['ip', 'route', 'replace', to, ...hop, 'dev', 'eth1'])
  await lab.on('n1')(['conntrack', '-F'])
}
