// The fake AWS account of `libs/drivers/aws-nlb/rig`, by its own admin interface and by plain calls.
import { startRig, type ChildRigOptions } from './child-rig.ts'
import { ownerOf, type Change, type Owner, type Provider, type Thing } from './provider.ts'

interface Premises {
  readonly endpoint: string
  readonly account: string
  readonly region: string
  readonly vpcId: string
  readonly subnetIds: readonly string[]
}

interface Entry {
  readonly at: number
  readonly action: string
  readonly params: Readonly<Record<string, unknown>>
}

interface Report {
  readonly journal: readonly Entry[]
  readonly things: readonly {
    readonly kind: string
    readonly ref: string
    readonly tags: Readonly<Record<string, string>>
  }[]
}

/** The key that the fake knows as one who sees everything at once. */
const truthKey = 'AKIATRUTH'
const balancerKind = 'load balancer'

export const startAws = async (
  place: Pick<ChildRigOptions, 'folder' | 'env'>,
  nodes: readonly { readonly name: string; readonly address: string }[],
): Promise<Provider> => {
  const main = 'libs/drivers/aws-nlb/rig/main.ts'
  const rig = await startRig<Premises>({ ...place, name: 'aws', main })
  const { endpoint, account, region, vpcId, subnetIds } = rig.line
  const journal: Entry[] = []
  const owners = new Map<string, Owner | null>()

  const admin = async (orders: object): Promise<Report> => {
    const body = JSON.stringify({ journalFrom: journal.length, ...orders })
    const response = await fetch(`${endpoint}/_fake`, { method: 'POST', body })
    if (!response.ok) throw new Error(`the fake refused ${body}: ${await response.text()}`)
    return (await response.json()) as Report
  }
  const look = async (): Promise<Report> => {
    const report = await admin({})
    journal.push(...report.journal)
    for (const { ref, tags } of report.things) {
      owners.set(
        ref,
        ownerOf((name) => tags[`weir:${name}`]),
      )
    }
    return report
  }
  const call = async (
    action: string,
    params: Readonly<Record<string, string>>,
  ): Promise<string> => {
    const body = new URLSearchParams({ Action: action, Version: '2015-12-01', ...params })
    const authorization = `AWS4-HMAC-SHA256 Credential=${truthKey}/20260101/x/x/aws4_request`
    const response = await fetch(endpoint, { method: 'POST', body, headers: { authorization } })
    if (!response.ok) throw new Error(`${action}: ${await response.text()}`)
    return response.text()
  }
  const portsOf = async (LoadBalancerArn: string): Promise<number[]> => {
    // It may have gone since it was listed.
    const xml = await call('DescribeListeners', { LoadBalancerArn }).catch((error: unknown) => {
      if (String(error).includes('LoadBalancerNotFound')) return ''
      throw error
    })
    return [...xml.matchAll(/<Port>(\d+)<\/Port><Protocol>/g)].map(([, port]) => Number(port))
  }
  const instances = nodes.map(({ name, address }) => [instanceOf(name), address])
  await admin({ instances: Object.fromEntries(instances) })

  const disturb =
    (begin: object, end: object = { meet: [] }) =>
    async () => {
      await admin(begin)
      return async () => void (await admin(end))
    }
  const next = (kind: string, times: number, more = {}) =>
    disturb({ meet: Array.from({ length: times }, () => ({ kind, ...more })) })
  const slow = { perSecond: 1, burst: 1 }
  return {
    name: 'aws',
    account: {
      kind: 'aws-nlb',
      account,
      settings: { region, vpcId, subnetIds, endpoint, consistencyWindowMs: 3000 },
      credentials: { accessKeyId: 'AKIACHAOS', secretAccessKey: 'chaos' },
    },
    look: async () => void (await look()),
    things: async () => {
      const { things } = await look()
      return Promise.all(
        things.map(async ({ kind, ref }): Promise<Thing> => {
          const whole = kind === balancerKind
          const thing = { kind, ref, owner: owners.get(ref) ?? null, whole }
          return whole ? { ...thing, ports: await portsOf(ref) } : thing
        }),
      )
    },
    changes: async () => {
      await look()
      return changesOf(journal, owners)
    },
    faults: {
      'aws throttles': disturb({ throttle: { read: slow, write: slow } }, { throttle: null }),
      'aws loses replies': next('after', 6),
      'aws breaks connections': next('before', 6),
      'aws answers garbage': next('garbage', 3),
      'aws is unavailable': next('refuse', 6, { code: 'ServiceUnavailable' }),
      'aws fails a balancer': disturb({ failNextBalancer: true }),
      'aws is slow': disturb(
        { behaviour: { provisioningMs: 6000 } },
        { behaviour: { provisioningMs: 300 } },
      ),
      'aws reads lag': disturb({ behaviour: { readLagMs: 2000 } }, { behaviour: { readLagMs: 0 } }),
    },
    plant: async (owner) => {
      const tags = Object.entries(tagsOf(owner)).flatMap(([name, value], at) => [
        [`Tags.member.${at + 1}.Key`, `weir:${name}`],
        [`Tags.member.${at + 1}.Value`, value],
      ])
      const subnets = subnetIds.map((id, at) => [`Subnets.member.${at + 1}`, id])
      const params = Object.fromEntries([
        ['Name', 'planted'],
        ['Type', 'network'],
        ...subnets,
        ...tags,
      ])
      const xml = await call('CreateLoadBalancer', params)
      return /<LoadBalancerArn>([^<]+)</.exec(xml)?.[1] ?? ''
    },
    tear: async ({ ref }) => void (await call('DeleteLoadBalancer', { LoadBalancerArn: ref })),
    stop: rig.stop,
  }
}

/** The instance that a node is, by the node's name; `nameInstances` writes it into the Node. */
export const instanceOf = (node: string): string => `i-0c4a05000000000${node.slice(-1)}`

const tagsOf = ({ installation, service, key, epoch }: Owner) => ({
  installation,
  tenant: 'local',
  cluster: service,
  service,
  key,
  epoch: String(epoch),
})

const kinds: Readonly<Record<string, string>> = {
  LoadBalancer: balancerKind,
  TargetGroup: 'target group',
  SecurityGroup: 'security group',
  Listener: 'listener',
  Address: 'elastic IP',
}

const changesOf = (
  journal: readonly Entry[],
  owners: ReadonlyMap<string, Owner | null>,
): Change[] => {
  /** Owners by name, from the calls that created; a name holds the marks, so it never changes hands. */
  const byName = new Map<string, Owner | null>()
  return journal.flatMap(({ at, action, params }): Change[] => {
    const [, verb = '', noun = ''] = /^(Create|Delete|Allocate|Release)(\w+)$/.exec(action) ?? []
    const kind = kinds[noun]
    if (kind === undefined) return []
    const effect = verb === 'Create' || verb === 'Allocate' ? 'create' : 'delete'
    const whole = kind === balancerKind
    const ref = refIn(params)
    const name = nameIn(params) ?? nameOfArn(ref)
    if (effect === 'create') {
      const owner = ownerInTags(params) ?? byName.get(name) ?? owners.get(ref) ?? null
      if (!byName.has(name)) byName.set(name, owner)
      return [{ at, effect, kind, ref: name, owner, whole }]
    }
    const owner = byName.get(name) ?? owners.get(ref) ?? null
    return [{ at, effect, kind, ref, owner, whole }]
  })
}

const textIn = (params: Readonly<Record<string, unknown>>, names: readonly string[]) => {
  const found = names.map((name) => params[name]).find((value) => typeof value === 'string')
  return typeof found === 'string' ? found : undefined
}
const refIn = (params: Readonly<Record<string, unknown>>): string =>
  textIn(params, ['ListenerArn', 'LoadBalancerArn', 'TargetGroupArn', 'GroupId', 'AllocationId']) ??
  ''
const nameIn = (params: Readonly<Record<string, unknown>>): string | undefined =>
  textIn(params, ['Name', 'GroupName'])

/** `...:loadbalancer/net/NAME/ID`, `...:listener/net/NAME/ID/ID`, `...:targetgroup/NAME/ID`. */
const nameOfArn = (arn: string): string =>
  /:(?:loadbalancer|listener)\/net\/([^/]+)\//.exec(arn)?.[1] ??
  /:targetgroup\/([^/]+)\//.exec(arn)?.[1] ??
  arn

const ownerInTags = (params: Readonly<Record<string, unknown>>): Owner | null => {
  const specification = params['TagSpecification']
  const nested = Array.isArray(specification) ? (specification[0] as { Tag?: unknown })?.Tag : []
  const tags = (params['Tags'] ?? nested) as readonly { Key: string; Value: string }[]
  return ownerOf((name) => tags.find(({ Key }) => Key === `weir:${name}`)?.Value)
}
