import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { eventually } from '@weir/testing'
import { runProgram } from '../../services/edge/data-plane/kernel/run-program.ts'
import { askFrom, type Asking } from '../../services/edge/rig/lab-flows.ts'
import { noDad, vipPort, type Lab } from '../../services/edge/rig/lab.ts'
import { podAddress, type NodeName } from './places.ts'

/** Pods of the lab: a process each in a namespace behind its node, and a Pod object that says so. */
export interface Pods {
  /** Starts a pod with the label `app=APP`; it answers `NAME CLIENT` on `vipPort`, and is Ready. */
  add(name: string, app: string, node: NodeName): Promise<void>
  /** Takes the Pod object away and ends its process. */
  remove(name: string): Promise<void>
  /** The same, but the process goes on until its node sends it nothing new, as a pod's grace lets it. */
  retire(name: string): Promise<void>
  /** What flows are answered that begin in a pod. */
  ask(name: string, flow: Asking): Promise<readonly (string | null)[]>
  stop(): Promise<void>
}

export interface PodsOptions {
  readonly lab: Lab
  readonly kubectl: (args: readonly string[], input?: string) => Promise<string>
}

const script = resolve(import.meta.dirname, '../../services/edge/rig/pod.ts')

export const createPods = ({ lab, kubectl }: PodsOptions): Pods => {
  const running = new Map<string, RunningPod>()
  let count = 1

  const wire = async (space: string, node: NodeName): Promise<Addresses> => {
    count += 1
    const at = podAddress(node, count)
    const gateway = podAddress(node, 1)
    await runProgram(['ip', 'netns', 'add', space])
    await runProgram(['ip', 'netns', 'exec', space, 'sysctl', '-q', '-w', noDad])
    const lines = [
      `link add pod${count} type veth peer name eth0 netns ${space}`,
      `link set pod${count} master pods up`,
    ]
    await lab.on(node)(['ip', '-batch', '-'], `${lines.join('\n')}\n`)
    const inside = [
      'link set lo up',
      'link set eth0 up',
      `addr add ${at.IPv4}/24 dev eth0`,
      `addr add ${at.IPv6}/64 dev eth0 nodad`,
      `route add default via ${gateway.IPv4}`,
      `route add default via ${gateway.IPv6}`,
    ]
    await runProgram(['ip', '-n', space, '-batch', '-'], `${inside.join('\n')}\n`)
    return at
  }
  const end = async ({ space, child }: RunningPod): Promise<void> => {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    await runProgram(['ip', 'netns', 'del', space])
  }
  const forget = async (name: string): Promise<RunningPod | undefined> => {
    const pod = running.get(name)
    running.delete(name)
    if (pod) await kubectl([...deletePod, name])
    return pod
  }
  /** Whether the kube-proxy of its node still sends flows to it. */
  const isKnown = async ({ node, at }: RunningPod): Promise<boolean> => {
    const tables = await Promise.all(
      ['ip', 'ip6'].map((family) => lab.on(node)(['nft', 'list', 'table', family, 'kube-proxy'])),
    )
    return [at.IPv4, at.IPv6].some((address) =>
      tables.some((each) => each.includes(`${address} .`)),
    )
  }
  return {
    add: async (name, app, node) => {
      const space = `${lab.spaceOf(node)}-${name}`
      const at = await wire(space, node)
      const args = [
        'netns',
        'exec',
        space,
        process.execPath,
        script,
        name,
        '0.0.0.0,::',
        `${vipPort}`,
      ]
      const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] })
      running.set(name, { space, child, node, at })
      await once(child.stdout, 'data')
      await kubectl(['create', '-f', '-'], JSON.stringify(podObject(name, app, node)))
      const patch = JSON.stringify({ status: readyAt(at) })
      await kubectl(['patch', 'pod', name, '--subresource=status', '--type=merge', '-p', patch])
    },
    remove: async (name) => {
      const pod = await forget(name)
      if (pod) await end(pod)
    },
    retire: async (name) => {
      const pod = await forget(name)
      if (!pod) return
      await eventually(async () => !(await isKnown(pod)), { deadlineMs: 60_000 })
      await end(pod)
    },
    ask: (name, flow) =>
      askFrom(
        (argv) => runProgram(['ip', 'netns', 'exec', running.get(name)?.space ?? '', ...argv]),
        flow,
      ),
    stop: async () => void (await Promise.all([...running.values()].map(end))),
  }
}

interface RunningPod {
  readonly space: string
  readonly child: ChildProcess
  readonly node: NodeName
  readonly at: Addresses
}

const deletePod = ['delete', 'pod', '--force', '--grace-period=0', '--ignore-not-found']

type Addresses = ReturnType<typeof podAddress>

const podObject = (name: string, app: string, node: NodeName) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app } },
  spec: { nodeName: node, containers: [{ name: 'pod', image: 'lab' }] },
})

const readyAt = ({ IPv4, IPv6 }: Addresses) => ({
  phase: 'Running',
  podIP: IPv4,
  podIPs: [{ ip: IPv4 }, { ip: IPv6 }],
  conditions: [{ type: 'Ready', status: 'True' }],
})
