// What a scenario of the lab stands on: Services and pods of its own on the shared platform, all of which is
// taken away after it, also when it fails.
import { explainError, systemClock } from '@weir/kernel'
import { eventually } from '@weir/testing'
import { expect, test } from 'vitest'
import { tableName } from '../../services/edge/data-plane/kernel/skeleton.ts'
import type { Asking } from '../../services/edge/rig/lab-flows.ts'
import { clientAddresses, vipPort } from '../../services/edge/rig/lab.ts'
import type { ServiceObject } from '../harness/objects.ts'
import { edgeNames, type EdgeName, type KernelPlatform } from './kernel-platform.ts'
import { nodeNames, soon, type NodeName } from './places.ts'

export { soon } from './places.ts'

export const families = ['IPv4', 'IPv6'] as const
export type Family = (typeof families)[number]
export const protocols = ['TCP', 'UDP'] as const
export type Protocol = (typeof protocols)[number]
/** One Service of each family, and what each of its flows looks like. */
export type Addresses = Readonly<Record<Family, string>>
export const everyFlow = families.flatMap((family) =>
  protocols.map((protocol) => ({ family, protocol })),
)

export interface Ground {
  readonly platform: KernelPlatform
  /** Pods `NAME-1`, `NAME-2`… of the app NAME, one on each of these nodes. */
  deploy(name: string, nodes: readonly NodeName[]): Promise<void>
  /**
   * Makes Services `NAME-ipv4` and `NAME-ipv6` before the pods of NAME, each with `vipPort` for TCP and for UDP and
   * policy `Local` unless `spec` says else; or just the one of some families. Their addresses, once the status tells
   * them; empty where there is no Service, and then nothing is tried.
   */
  expose(
    name: string,
    spec?: object,
    some?: readonly Family[],
    annotations?: Readonly<Record<string, string>>,
  ): Promise<Addresses>
  patch(name: string, spec: object): Promise<void>
  /** Deletes both Services, and resolves when they are gone. */
  forget(name: string): Promise<void>
  service(name: string, family: Family): Promise<ServiceObject | undefined>
  /** Everybody that answers some flows: `POD CLIENT` each, null when one was not answered. */
  answers(flow: Asking): Promise<ReadonlySet<string | null>>
  /** Resolves when all flows of both families and protocols are answered by just these pods. */
  answeredBy(addresses: Addresses, pods: readonly string[], port?: number): Promise<void>
  /** Resolves when nobody answers any flow. */
  silent(addresses: Addresses, port?: number): Promise<void>
  /** Fails unless no edge holds anything of these addresses. */
  nothingLeft(addresses: Addresses): Promise<void>
}

export type LabTest = (title: string, body: (ground: Ground) => Promise<void>, ms?: number) => void

/** Tests that share a platform. Their titles name the families and protocols that they try. */
export const labTests =
  (shared: () => KernelPlatform): LabTest =>
  (title, body, ms = 240_000) =>
    test(
      title,
      async () => {
        const made = createGround(shared())
        try {
          await body(made.ground)
        } catch (error) {
          process.stderr.write(`\n${title}\n${await made.diagnosis()}\n`)
          // What can't be taken away then is told beside the error, not in its place.
          const told = (left: unknown) => process.stderr.write(`${explainError(left)}\n`)
          await made.clear().catch(told)
          throw error
        }
        await made.clear()
      },
      ms,
    )

export const rulesOn = (platform: KernelPlatform, edge: EdgeName): Promise<string> =>
  platform.lab.on(edge)(['nft', 'list', 'table', 'netdev', tableName])

export const nameOf = (name: string, family: Family): string => `${name}-${family.toLowerCase()}`

/** A ground, and what takes away what was made on it. */
export const createGround = (platform: KernelPlatform) => {
  const { lab, kubectl, pods } = platform
  const running: string[] = []
  const exposed = new Set<string>()

  const service: Ground['service'] = async (name, family) => {
    const args = ['get', 'service', nameOf(name, family), '-o', 'json', '--ignore-not-found']
    const said = await kubectl(args)
    return said.trim() === '' ? undefined : JSON.parse(said)
  }
  const addressOf = (name: string, family: Family): Promise<string> =>
    eventually(async () => {
      const [ingress, ...more] = (await service(name, family))?.status.loadBalancer?.ingress ?? []
      expect([ingress?.ipMode, more]).toEqual(['VIP', []])
      return ingress?.ip
    }, soon)
  const answers: Ground['answers'] = async (flow) => new Set(await lab.ask({ count: 20, ...flow }))
  const holds = (check: () => Promise<void>): Promise<true> =>
    eventually(() => check().then((): true => true), soon)
  /**
   * A kube-proxy reads an address from the status that tells it, and a flow that comes earlier is routed by the node,
   * back to the edges; so is whatever comes from the same port of the client for the next two minutes.
   */
  const knownToNodes = async (address: string, family: Family): Promise<void> => {
    for (const node of nodeNames) {
      const table = ['nft', 'list', 'table', family === 'IPv4' ? 'ip' : 'ip6', 'kube-proxy']
      expect(await lab.on(node)(table)).toContain(`${address} . `)
    }
  }
  const ground: Ground = {
    platform,
    deploy: async (name, nodes) => {
      for (const [at, node] of nodes.entries()) {
        running.push(`${name}-${at + 1}`)
        await pods.add(`${name}-${at + 1}`, name, node)
      }
    },
    expose: async (name, spec = {}, some = families, annotations = {}) => {
      exposed.add(name)
      const both = some.map((family) => serviceOf(name, family, spec, annotations))
      await kubectl(['create', '-f', '-'], JSON.stringify(listOf(both)))
      const given = { IPv4: '', IPv6: '' }
      for (const family of some) given[family] = await addressOf(name, family)
      for (const family of some) await holds(() => knownToNodes(given[family], family))
      return given
    },
    patch: async (name, spec) => {
      for (const family of families) {
        const patch = JSON.stringify({ spec })
        await kubectl(['patch', 'service', nameOf(name, family), '--type=merge', '-p', patch])
      }
    },
    forget: async (name) => {
      const both = families.map((family) => nameOf(name, family))
      await kubectl(['delete', 'service', ...both, '--timeout=90s', '--ignore-not-found'])
      exposed.delete(name)
    },
    service,
    answers,
    answeredBy: async (addresses, names, port = vipPort) => {
      await ofEveryFlow(addresses, async ({ family, ...flow }) => {
        const expected = new Set(names.map((name) => `${name} ${clientAddresses[family]}`))
        await holds(async () => expect(await answers({ ...flow, port })).toEqual(expected))
      })
    },
    silent: async (addresses, port = vipPort) => {
      await ofEveryFlow(addresses, async ({ protocol, address }) => {
        const flow = { protocol, address, port, count: 1 }
        await holds(async () => expect(await answers(flow)).toEqual(new Set([null])))
      })
    },
    nothingLeft: async (addresses) => {
      for (const edge of edgeNames) {
        const rules = await rulesOn(platform, edge)
        for (const address of Object.values(addresses).filter(Boolean))
          expect(rules).not.toContain(`${address} `)
      }
    },
  }
  return {
    ground,
    clear: async (): Promise<void> => {
      for (const name of exposed) await ground.forget(name)
      for (const name of running) await pods.remove(name)
    },
    diagnosis: () => diagnosisOf(platform),
  }
}

/** The same of every family and protocol, all at once. */
export const ofEveryFlow = <T>(
  addresses: Addresses,
  act: (flow: { family: Family; protocol: Protocol; address: string }) => Promise<T>,
): Promise<readonly T[]> =>
  Promise.all(
    everyFlow
      .map((flow) => ({ ...flow, address: addresses[flow.family] }))
      .filter(({ address }) => address !== '')
      .map(act),
  )

/** Flows that live on, of both families and protocols. */
export interface Live {
  readonly count: number
  /** Those that don't, such as `IPv4 TCP from 40001: no answer`. */
  lost(): Promise<readonly string[]>
  end(): void
}

export const holdFlows = async ({ lab }: KernelPlatform, addresses: Addresses): Promise<Live> => {
  const held = await ofEveryFlow(addresses, async ({ family, protocol, address }) => {
    const flows = await lab.hold(address, protocol === 'TCP' ? 200 : 50, protocol)
    return { name: `${family} ${protocol}`, flows }
  })
  const answers = held.flatMap(({ flows }) => flows.answers)
  expect(answers).not.toContain(null)
  return {
    count: answers.length,
    lost: async () => {
      const each = held.map(async ({ name, flows }) =>
        (await flows.lost()).map((told) => `${name} ${told}`),
      )
      return (await Promise.all(each)).flat()
    },
    end: () => held.forEach(({ flows }) => flows.end()),
  }
}

export interface Knocked {
  readonly count: number
  /** What each was that was not answered and when it began, such as `UDP 203.0.113.7 after 1520 ms from 40001: no answer`. */
  readonly failed: readonly string[]
  /** When the last of those began, ms since the epoch; 0 if there is none. */
  readonly lastFailedAt: number
}

/** New flows of both families and protocols all the time, until its end is asked for. */
export const knockAll = async ({ lab }: KernelPlatform, addresses: Addresses) => {
  const knocking = await ofEveryFlow(addresses, async ({ protocol, address }) => ({
    name: `${protocol} ${address}`,
    flows: await lab.knock({ protocol, address }),
    since: systemClock.now(),
  }))
  return async (): Promise<Knocked> => {
    const counted = await Promise.all(
      knocking.map(async ({ name, flows, since }) => {
        const { answered, failed } = await flows.stop()
        const told = failed.map((each) => `${name} after ${each.afterMs} ms ${each.told}`)
        const at = failed.map(({ afterMs }) => since + afterMs)
        return { count: answered + failed.length, told, at }
      }),
    )
    const count = counted.reduce((all, one) => all + one.count, 0)
    const failed = counted.flatMap(({ told }) => told)
    return { count, failed, lastFailedAt: Math.max(0, ...counted.flatMap(({ at }) => at)) }
  }
}

export const serviceOf = (name: string, family: Family, spec: object, annotations = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: nameOf(name, family), annotations },
  spec: {
    type: 'LoadBalancer',
    ipFamilies: [family],
    selector: { app: name },
    externalTrafficPolicy: 'Local',
    ports: portsOf(vipPort),
    ...spec,
  },
})

/** One number, for TCP and for UDP, that leads to where pods listen. */
export const portsOf = (port: number) =>
  protocols.map((protocol) => ({
    name: protocol.toLowerCase(),
    protocol,
    port,
    targetPort: vipPort,
  }))

const listOf = (items: readonly object[]) => ({ apiVersion: 'v1', kind: 'List', items })

/** What a person would look at first. */
const diagnosisOf = async (platform: KernelPlatform): Promise<string> => {
  const told = (what: Promise<string>): Promise<string> =>
    what.catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
  const shown = await Promise.all([
    told(platform.kubectl(['get', 'nodes,services,pods,endpointslices', '-o', 'wide'])),
    told(platform.kubectl(['get', 'events'])),
    told(platform.weir(['edge', 'show']).then(({ said }) => said)),
    told(platform.lab.on('router')(['ip', 'route', 'show', 'table', 'all', 'proto', 'bird'])),
    told(platform.lab.on('router')(['ip', '-6', 'route', 'show', 'table', 'all', 'proto', 'bird'])),
    ...edgeNames.map((edge) => told(platform.lab.on(edge)(['ip', 'neigh']))),
  ])
  return shown.join('\n')
}
