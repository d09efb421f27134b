// Rows 1-4 of the documentation's page "Create an External Load Balancer", word by word with stock kubectl.
import { eventually } from '@weir/testing'
import { expect } from 'vitest'
import { holds } from '../harness/holds.ts'
import type { ServiceObject } from '../harness/objects.ts'
import type { Place } from '../harness/place.ts'
import { askHttp, factIn } from '../harness/probes.ts'
import type { Walk } from '../harness/walk.ts'

/** The page's own manifest. */
export const manifest = (policy = ''): string => `apiVersion: v1
kind: Service
metadata:
  name: example-service
spec:
  selector:
    app: example
  ports:
    - port: 8765
      targetPort: 9376
${policy === '' ? '' : `  externalTrafficPolicy: ${policy}\n`}  type: LoadBalancer
`

/** The page's own commands. */
export const createDeployment = 'create deployment example --image=example --replicas=3'
export const exposeDeployment =
  'expose deployment example --port=8765 --target-port=9376 --name=example-service --type=LoadBalancer'

/** The InternalIPs of the cluster's nodes. */
export const nodeAddresses = async (place: Place): Promise<string[]> => {
  const paths = '-o jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}'
  return (await place.platform.kubectl(`get nodes ${paths}`)).split(' ')
}

export const pageWalk = (walk: Walk): void => {
  walk(
    'page row 1: a manifest with type LoadBalancer gets an address that pods answer',
    async (place) => {
      const { kubectl, namespace, platform } = place
      await kubectl(createDeployment)
      const watching = platform.kubectlFollow(`-n ${namespace} get service -w`)
      let seen = ''
      watching.stdout?.on('data', (text: Buffer) => (seen += text.toString()))
      try {
        expect(await kubectl('apply -f -', manifest())).toBe('service/example-service created\n')
        await holds(() => expect(seen).toMatch(/LoadBalancer +\S+ +127\.\d+\.\d+\.\d+ +8765:/))
      } finally {
        watching.kill()
      }
      expect(seen).toMatch(/example-service +LoadBalancer +\S+ +<pending> +8765:\d+\/TCP/)
      const door = await place.served('example-service')
      const answer = await askHttp(door)
      expect(answer).toContain('pod=example-')
      expect(answer).toContain('port=9376')
      const { spec } = (await place.service('example-service')) as ServiceObject
      const nodePort = spec.ports[0]?.nodePort ?? 0
      const nodes = await nodeAddresses(place)
      expect(nodes).toHaveLength(3)
      for (const address of nodes) {
        await holds(async () => {
          expect(await askHttp({ address, port: nodePort })).toContain('port=9376')
        })
      }
      expect(await kubectl('apply -f -', manifest())).toBe('service/example-service unchanged\n')
    },
  )

  walk(
    'page row 2: kubectl expose does the same, with the selector of the deployment',
    async (place) => {
      const { kubectl } = place
      await kubectl(createDeployment)
      expect(await kubectl(exposeDeployment)).toBe('service/example-service exposed\n')
      const answer = await askHttp(await place.served('example-service'))
      expect(answer).toContain('pod=example-')
      const { spec } = (await place.service('example-service')) as ServiceObject
      expect(spec.type).toBe('LoadBalancer')
      expect(spec.selector).toEqual({ app: 'example' })
    },
  )

  walk(
    'page row 3: kubectl describe shows the address, the ports and what happened',
    async (place) => {
      const { kubectl } = place
      await kubectl(createDeployment)
      await kubectl(exposeDeployment)
      const { address } = await place.served('example-service')
      const wanted = ['EnsuringLoadBalancer', 'IPAllocated', 'EnsuredLoadBalancer']
      const text = await eventually(async () => {
        const described = await kubectl('describe services example-service')
        const events = described.slice(described.indexOf('Events:'))
        const reasons = events
          .split('\n')
          .flatMap((line) => /^ +Normal +(\w+)/.exec(line)?.[1] ?? [])
        expect(reasons).toEqual(wanted)
        expect(described).toMatch(/Endpoints: +10\.\S+:9376,10\.\S+:9376,10\.\S+:9376\n/)
        return described
      })
      for (const line of [
        /^Name: +example-service$/m,
        /^Type: +LoadBalancer$/m,
        /^IP: +10\.\d+\.\d+\.\d+$/m,
        new RegExp(`^LoadBalancer Ingress: +${address.replaceAll('.', '\\.')} \\(Proxy\\)$`, 'm'),
        /^Port: +<unset> +8765\/TCP$/m,
        /^TargetPort: +9376\/TCP$/m,
        /^NodePort: +<unset> +3\d{4}\/TCP$/m,
        /^Session Affinity: +None$/m,
        /^External Traffic Policy: +Cluster$/m,
      ]) {
        expect(text).toMatch(line)
      }
      expect(text).toContain(`Assigned IP ["${address}"]`)
    },
  )

  walk('page row 4: weir url prints address and port', async (place) => {
    const { kubectl, platform, namespace } = place
    await kubectl(createDeployment)
    await kubectl(exposeDeployment)
    const { address } = await place.served('example-service')
    const { code, stdout } = await platform.weir(`url ${namespace}/example-service`)
    expect({ code, stdout }).toEqual({ code: 0, stdout: `http://${address}:8765\n` })
    const url = new URL(stdout.trim())
    const answer = await askHttp({ address: url.hostname, port: Number(url.port) })
    expect(factIn(answer, 'pod')).toMatch(/^example-/)
    const none = await platform.weir(`url ${namespace}/nothing-here`)
    expect(none.code).toBe(3)
    expect(none.stderr).toContain(
      `no load balancer was ever asked for by ${namespace}/nothing-here`,
    )
  })
}
