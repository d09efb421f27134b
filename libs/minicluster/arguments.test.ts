import { expect, test } from 'vitest'
import { readArguments } from './arguments.ts'

const line = (text: string): string[] => text.split(' ')

test('a simulated minicluster needs a folder; its nodes are in the order given', () => {
  const args = '--kind simulated --state .weir/cluster --node b=127.77.0.2 --node a=127.77.0.1'
  expect(readArguments(line(args))).toEqual({
    kind: 'simulated',
    options: {
      stateDir: '.weir/cluster',
      port: 0,
      nodes: [
        { name: 'b', address: '127.77.0.2' },
        { name: 'a', address: '127.77.0.1' },
      ],
    },
  })
})

test('a kubernetes minicluster is told where its programs are', () => {
  const programs = '--etcd /e --kube-apiserver /a --kube-controller-manager /c'
  const { options } = readArguments(line(`--kind kubernetes --state s --port 6443 ${programs}`))
  expect(options).toEqual({
    stateDir: 's',
    port: 6443,
    nodes: [],
    binaries: { etcd: '/e', kubeApiserver: '/a', kubeControllerManager: '/c' },
  })
})

test.each([
  '--state s',
  '--kind other --state s',
  '--kind simulated',
  '--kind simulated --state s --port x',
  '--kind simulated --state s --node 127.0.0.1',
])('%s is answered with the usage', (args) => {
  expect(() => readArguments(line(args))).toThrow('usage: main.ts --kind')
})
