import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { explainError } from '@weir/kernel'
import { heardTable } from '../../services/edge/rig/bgp.ts'
import { vipPort } from '../../services/edge/rig/lab.ts'
import { createGround, type Addresses } from './ground.ts'
import { platformProblem, startKernelPlatform, type KernelPlatform } from './kernel-platform.ts'

/**
 * Starts the platform of the lab with an example behind it, prints how to look around in it, and takes all of it away
 * on Ctrl-C. The exit code.
 */
export const openShell = async (): Promise<number> => {
  const problem = await platformProblem()
  if (problem !== undefined) {
    process.stderr.write(`the lab cannot be built here: ${problem}\n`)
    return 1
  }
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => interrupted.abort())
  process.stderr.write('building the lab: half a minute\n')
  const platform = await startKernelPlatform()
  try {
    const { ground } = createGround(platform)
    await ground.deploy('example', ['n1', 'n2', 'n2'])
    process.stdout.write(guideTo(platform, await ground.expose('example')))
    // The longest that a timer can be is three weeks: nobody looks around for longer.
    await pause(2 ** 31 - 1, undefined, { signal: interrupted.signal }).catch(() => undefined)
    return 0
  } catch (error) {
    process.stderr.write(`${explainError(error)}\n`)
    return 1
  } finally {
    process.stderr.write('taking the lab away\n')
    await platform.stop()
  }
}

const guideTo = (platform: KernelPlatform, { IPv4, IPv6 }: Addresses): string => {
  const { lab } = platform
  const variables = Object.entries(platform.session()).map(([name, value]) => `${name}=${value}`)
  const enter = (host: Parameters<typeof lab.spaceOf>[0]): string =>
    `ip netns exec ${lab.spaceOf(host)}`
  return `
In another shell${usersWay()}:

  the client       ${enter('client')} bash
  the router       ${enter('router')} ip route show table ${heardTable}    (and ip -6)
  edges            ${enter('e1')} nft list table netdev weir      (and e2)
  nodes            ${enter('n1')} nft list table ip kube-proxy    (and n2, n3)
  the control plane, with kubectl and weir set up:
                   ${enter('control')} \\
                     env ${variables.join(' ')} bash

An example with three pods, on n1 and twice on n2, for TCP and UDP, with the client's address kept:

  ${enter('client')} nc -w1 ${IPv4} ${vipPort} </dev/null
  ${enter('client')} nc -w1 ${IPv6} ${vipPort} </dev/null
  kubectl get service,pod,node -o wide                in the control plane's shell, as what follows
  npx weir edge show; npx weir edge verify
  npx weir explain service default/example-ipv4
  kubectl label node n1 node.kubernetes.io/exclude-from-external-load-balancers=true

Ctrl-C here takes all of it away.
`
}

/** Whoever is outside the user namespace that this runs in does not see the names of its namespaces. */
const usersWay = (): string => {
  const alone = readFileSync('/proc/self/uid_map', 'utf8').trim().endsWith(' 1')
  return alone ? `, after nsenter --preserve-credentials -U -m -n -t ${process.pid}` : ''
}
