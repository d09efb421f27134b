import { describe, expect, test } from 'vitest'
import { core, eventually, type Rig } from './rig.conformance.ts'

const manifest = `apiVersion: v1
kind: Service
metadata:
  name: applied
spec:
  selector:
    app: example
  ports:
    - port: 8765
      targetPort: 9376
  type: LoadBalancer
`

const walk = (rig: Rig): void => {
  const inNamespace = async () => {
    const namespace = await rig.namespace()
    const kubectl = (line: string, input?: string): Promise<string> =>
      rig.kubectl(['-n', namespace, ...line.split(' ')], input)
    return { namespace, kubectl }
  }

  test('create, expose, get -w, describe, patch, delete, as the documentation does', async () => {
    const { namespace, kubectl } = await inNamespace()
    const made = await kubectl('create deployment example --image=example --replicas=3')
    expect(made).toBe('deployment.apps/example created\n')
    await kubectl('rollout status deployment/example --timeout=30s')
    const ports = '--port=8765 --target-port=9376'
    const named = '--name=example-service --type=LoadBalancer'
    expect(await kubectl(`expose deployment example ${ports} ${named}`)).toBe(
      'service/example-service exposed\n',
    )
    expect(await kubectl('get service example-service')).toMatch(
      /^NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nexample-service +LoadBalancer +10\.\S+ +<pending> +8765:3\d{4}\/TCP +\d+s\n$/,
    )
    const follow = rig.kubectlFollow(['-n', namespace, 'get', 'service', 'example-service', '-w'])
    let followed = ''
    follow.stdout?.on('data', (chunk: Buffer) => (followed += chunk.toString()))
    await eventually(async () => expect(followed).toContain('<pending>'))
    const status = { loadBalancer: { ingress: [{ ip: '127.0.0.9', ipMode: 'Proxy' }] } }
    await rig.ask('PATCH', `${core(namespace, 'services', 'example-service')}/status`, {
      body: { status },
      contentType: 'application/merge-patch+json',
    })
    await eventually(async () => expect(followed).toMatch(/LoadBalancer +10\.\S+ +127\.0\.0\.9 /))
    follow.kill()
    const told = await eventually(async () => {
      const text = await kubectl('describe services example-service')
      expect(text).toMatch(/Endpoints: +10\.244\.\d+\.\d+:9376,/)
      return text
    })
    for (const line of [
      /LoadBalancer Ingress: +127\.0\.0\.9 \(Proxy\)/,
      /Type: +LoadBalancer/,
      /Port: +<unset> +8765\/TCP/,
      /TargetPort: +9376\/TCP/,
      /NodePort: +<unset> +3\d{4}\/TCP/,
      /Session Affinity: +None/,
      /External Traffic Policy: +Cluster/,
    ]) {
      expect(told).toMatch(line)
    }
    expect(await kubectl('delete service example-service')).toContain('deleted')
    await expect(kubectl('get service example-service')).rejects.toThrow(
      'Error from server (NotFound): services "example-service" not found',
    )
  }, 60_000)

  test('apply makes, leaves and changes', async () => {
    const { kubectl } = await inNamespace()
    expect(await kubectl('apply -f -', manifest)).toBe('service/applied created\n')
    expect(await kubectl('apply -f -', manifest)).toBe('service/applied unchanged\n')
    const changed = manifest.replace('8765', '8766')
    expect(await kubectl('apply -f -', changed)).toBe('service/applied configured\n')
    const port = await kubectl('get service applied -o jsonpath={.spec.ports[*].port}')
    expect(port).toBe('8766')
    expect(await kubectl('apply --server-side --force-conflicts -f -', changed)).toBe(
      'service/applied serverside-applied\n',
    )
    expect(await kubectl('diff -f -', changed)).toBe('')
    const wrong = manifest.replace('selector:', 'selektor:')
    await expect(kubectl('apply -f -', wrong)).rejects.toThrow('unknown field "spec.selektor"')
    expect(await kubectl('delete -f -', manifest)).toContain('deleted')
  }, 60_000)

  test('patches of each type, labels, annotations, scale and wait', async () => {
    const { namespace, kubectl } = await inNamespace()
    const patch = (type: string, body: unknown): Promise<string> => {
      const args = ['patch', 'service', 'applied', `--type=${type}`, '-p', JSON.stringify(body)]
      return rig.kubectl(['-n', namespace, ...args])
    }
    await kubectl('apply -f -', manifest)
    const done = 'service/applied patched\n'
    expect(await patch('strategic', { spec: { externalTrafficPolicy: 'Local' } })).toBe(done)
    expect(await patch('merge', { spec: { externalTrafficPolicy: 'Cluster' } })).toBe(done)
    const step = { op: 'replace', path: '/spec/sessionAffinity', value: 'ClientIP' }
    expect(await patch('json', [step])).toBe(done)
    expect(await kubectl('label service applied tier=front')).toContain('labeled')
    expect(await kubectl('annotate service applied weir.dev/note=hi')).toContain('annotated')
    expect(await kubectl('get service -l tier=front -o name')).toBe('service/applied\n')
    await kubectl('create deployment example --image=example')
    expect(await kubectl('scale deployment example --replicas=2')).toContain('scaled')
    await kubectl('rollout status deployment/example --timeout=30s')
    await kubectl('wait --for=condition=Ready pod --all --timeout=30s')
    const pods = await kubectl('get pods -o wide')
    expect(pods.match(/ 1\/1 +Running +0 +\S+ +10\.244\./g)).toHaveLength(2)
    await kubectl('delete deployment example')
    await eventually(async () => expect(await kubectl('get pods -o name')).toBe(''))
  }, 60_000)

  test('nodes and what the server knows are shown', async () => {
    const nodes = await rig.kubectl(['get', 'nodes', '-o', 'wide'])
    for (const { name, address } of rig.cluster().nodes) {
      expect(nodes).toMatch(new RegExp(`${name} +Ready +\\S+ +\\S+ +\\S+ +${address} `))
    }
    expect(await rig.kubectl(['describe', 'node', rig.cluster().nodes[0]?.name ?? ''])).toMatch(
      /Ready +True/,
    )
    expect(await rig.kubectl(['api-resources', '-o', 'name'])).toContain('endpointslices.discovery')
    expect(await rig.kubectl(['version'])).toMatch(/Server Version: v1\./)
    expect(await rig.kubectl(['get', 'namespaces', '-o', 'name'])).toContain('namespace/default')
  }, 60_000)

  test('a namespace is made and deleted with all that is in it', async () => {
    const { namespace, kubectl } = await inNamespace()
    await kubectl('apply -f -', manifest)
    await kubectl(`delete namespace ${namespace} --timeout=40s`)
    await expect(kubectl('get service applied')).rejects.toThrow('NotFound')
  }, 60_000)
}

export const kubectlRules = (rig: Rig): void => {
  describe('kubectl', () => {
    walk(rig)
  })
}
