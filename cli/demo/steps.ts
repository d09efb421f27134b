// One Service's whole life as a list of steps. Each does one thing and looks at the world until it is so.
import type { ApiClient } from '../client.ts'
import { serviceEventTypes, garbageCount } from './story.ts'
import { until, type ServiceObject, type World } from './world.ts'

export interface Step {
  readonly title: string
  /** Does it and resolves with what was seen, for a person to read. */
  readonly run: () => Promise<string>
}

const name = 'example-service'
const services = '/api/v1/namespaces/default/services'
const one = `${services}/${name}`
const deployments = '/apis/apps/v1/namespaces/default/deployments'
const port = 8765
const client = '127.0.0.7'
const sampleSize = 400

/** The life of the documentation's example, from the manifest to the proof that nothing is left. */
export const lifeOf = (world: World, api: ApiClient): readonly Step[] => {
  let address = ''
  let uid = ''

  const current = async (): Promise<ServiceObject> =>
    until('the Service is readable', () => world.service(name))
  const ask = (from?: string, at = port) =>
    world.http({ address, port: at, ...(from === undefined ? {} : { from }) })

  return [
    { title: 'create a deployment with three pods', run: () => createDeployment(world) },
    {
      title: 'expose it: kubectl expose --type=LoadBalancer',
      run: async () => {
        await world.apply(services, exposed())
        const ready = await until('an address', async () => {
          const found = await world.service(name)
          return found?.status.loadBalancer.ingress[0] && found
        })
        uid = ready.metadata.uid
        address = ready.status.loadBalancer.ingress[0]?.ip ?? ''
        return `LoadBalancer Ingress: ${address} (${ready.status.loadBalancer.ingress[0]?.ipMode ?? 'VIP'})`
      },
    },
    {
      title: 'both finalizers and the reason are on the object',
      run: async () => {
        const { metadata } = await current()
        const reason = Object.entries(metadata.annotations).find(([key]) =>
          key.startsWith('weir.dev/'),
        )
        must(metadata.finalizers.length >= 2, `finalizers are ${metadata.finalizers.join(', ')}`)
        must(reason !== undefined, 'no reason annotation')
        return `${metadata.finalizers.join(', ')}; ${reason?.join(': ') ?? ''}`
      },
    },
    {
      title: 'Events tell each step',
      run: async () => {
        const wanted = ['EnsuringLoadBalancer', 'IPAllocated', 'EnsuredLoadBalancer']
        await until('the Events', async () => {
          const seen = await world.eventReasons(uid)
          return wanted.every((reason) => seen.includes(reason))
        })
        return wanted.join(', ')
      },
    },
    {
      title: 'a client is answered by a pod; the pod sees a node, since the policy is Cluster',
      run: async () => {
        const answer = await until('an answer', () => ask(client))
        must(!answer.includes(`client=${client}`), `the pod saw ${answer}`)
        return answer.trim()
      },
    },
    {
      title: 'externalTrafficPolicy: Local keeps the address; the pod sees the client itself',
      run: async () => {
        await world.patch(one, { spec: { externalTrafficPolicy: 'Local' } })
        const answer = await until('the client is seen', async () => {
          const seen = await ask(client)
          return seen.includes(`client=${client}`) && seen
        })
        const { spec, status } = await current()
        must(status.loadBalancer.ingress[0]?.ip === address, 'the address changed')
        must((spec.healthCheckNodePort ?? 0) > 0, 'no healthCheckNodePort')
        return `${answer.trim()}; healthCheckNodePort ${spec.healthCheckNodePort ?? 0}`
      },
    },
    {
      title: 'three pods here and one there: new connections split 75/25',
      run: () => split(world, () => address),
    },
    {
      title: 'a UDP port beside the TCP port answers, with the client seen',
      run: async () => {
        const spec = {
          ports: [
            ...exposed().spec.ports,
            { name: 'udp', port, targetPort: 9376, protocol: 'UDP' },
          ],
        }
        await world.patch(one, { spec })
        const answer = await until('a UDP answer', () => world.udp({ address, port, from: client }))
        must(answer.includes(`client=${client}`), `the pod saw ${answer}`)
        return answer.trim()
      },
    },
    {
      title: 'another port: the new one answers, the old one no longer does',
      run: async () => {
        const spec = { ports: [{ name: 'tcp', port: 8766, targetPort: 9376, protocol: 'TCP' }] }
        await world.patch(one, { spec }, 'application/merge-patch+json')
        await until('the new port answers', () => ask(client, 8766))
        await until('the old port is closed', () => refused(() => ask(client)))
        return `${address}:8766 answers, ${address}:${port} refuses`
      },
    },
    {
      title: 'loadBalancerSourceRanges lets in only who is named',
      run: async () => {
        await world.patch(one, { spec: { loadBalancerSourceRanges: ['127.0.0.8/32'] } })
        await until('a stranger is kept out', () => refused(() => ask(client, 8766)))
        await until('the named client comes in', () => ask('127.0.0.8', 8766))
        await world.patch(
          one,
          { spec: { loadBalancerSourceRanges: null } },
          'application/merge-patch+json',
        )
        await until('everybody comes in again', () => ask(client, 8766))
        return '127.0.0.8 came in, 127.0.0.7 did not; both do again'
      },
    },
    {
      title: 'type ClusterIP takes the load balancer away, LoadBalancer brings the address back',
      run: () => flip(world, () => address),
    },
    {
      title: 'delete: traffic stops, then the object goes',
      run: async () => {
        await world.remove(one)
        await until('the Service is gone', async () => (await world.service(name)) === undefined)
        must(await refused(() => ask(client, 8766)), 'the address still answers')
        await world.remove(`${deployments}/example`)
        return 'the object is gone and nothing answers'
      },
    },
    {
      title: 'the log tells the whole story, also now',
      run: () => wholeStory(api, `default/${name}`),
    },
    {
      title: 'nothing is left behind',
      run: async () => {
        const found = await garbageCount(api)
        must(found === 0, `gc found ${found} things`)
        return 'gc report: nothing found'
      },
    },
  ]
}

const exposed = () => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: {
    type: 'LoadBalancer',
    selector: { app: 'example' },
    ports: [{ name: 'tcp', port, targetPort: 9376, protocol: 'TCP' }],
  },
})

const must = (condition: boolean, problem: string): void => {
  if (!condition) throw new Error(problem)
}

const refused = async (ask: () => Promise<unknown>): Promise<boolean> =>
  ask().then(
    () => false,
    () => true,
  )

const createDeployment = async (world: World): Promise<string> => {
  const labels = { app: 'example' }
  await world.apply(deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'example', labels },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { containers: [{ name: 'example', image: 'example' }] },
      },
    },
  })
  return 'deployment example, 3 replicas'
}

/** Puts three pods on one node and one on another, and counts who answers. */
const split = async (world: World, address: () => string): Promise<string> => {
  const place = (node: string, replicas: number) => ({
    spec: { replicas, template: { spec: { nodeSelector: { 'kubernetes.io/hostname': node } } } },
  })
  await world.patch(`${deployments}/example`, place('node-1', 3))
  await world.apply(deployments, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'example-one' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'example', part: 'one' } },
      template: {
        metadata: { labels: { app: 'example', part: 'one' } },
        spec: {
          nodeSelector: { 'kubernetes.io/hostname': 'node-2' },
          containers: [{ name: 'example', image: 'example' }],
        },
      },
    },
  })
  await until('three pods on node-1 and one on node-2', async () => {
    const nodes = await world.endpointsByNode(name)
    return nodes.size === 2 && nodes.get('node-1') === 3 && nodes.get('node-2') === 1
  })
  const share = await until('a split of 75/25', async () => {
    const heavy = await shareOf(world, address(), 'node=node-1')
    return Math.abs(heavy - 0.75) <= 0.05 && heavy
  })
  await world.remove(`${deployments}/example-one`)
  return `${Math.round(share * 100)} % of ${sampleSize} connections went to the node with three of four pods`
}

const shareOf = async (world: World, address: string, mark: string): Promise<number> => {
  let hits = 0
  for (let at = 0; at < sampleSize; at += 1) {
    if ((await world.http({ address, port })).includes(mark)) hits += 1
  }
  return hits / sampleSize
}

const flip = async (world: World, address: () => string): Promise<string> => {
  const before = address()
  await world.patch(one, { spec: { type: 'ClusterIP' } })
  await until('the address is silent', () =>
    refused(() => world.http({ address: before, port: 8766 })),
  )
  await until('our finalizers are off', async () => {
    const found = await world.service(name)
    return found && found.metadata.finalizers.length === 0
  })
  await world.patch(one, { spec: { type: 'LoadBalancer' } })
  await until('it answers again', () => world.http({ address: before, port: 8766 }))
  return `${before} went silent and answers again`
}

const chapters = [
  'LoadBalancerRequested',
  'FrontendsAllocated',
  'ResourceIntended',
  'ResourceProgrammed',
  'StatusPublished',
  'ReleaseRequested',
  'ResourceDeleteIntended',
  'ResourceAbsent',
  'FrontendsReleased',
]

const wholeStory = async (api: ApiClient, service: string): Promise<string> => {
  const told = await until('the last event', async () => {
    const types = await serviceEventTypes(api, service)
    return types.at(-1) === 'FrontendsReleased' && types
  })
  let from = 0
  for (const chapter of chapters) {
    const at = told.indexOf(chapter, from)
    must(at >= 0, `${chapter} is missing after ${told[from - 1] ?? 'the beginning'}`)
    from = at + 1
  }
  return `${told.length} events, from ${told[0] ?? ''} to ${told.at(-1) ?? ''}`
}
