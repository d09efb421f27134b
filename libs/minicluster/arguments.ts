import { OperatingError } from '@weir/kernel'
import { parseArgs } from 'node:util'
import type { HollowNodeSpec, MiniclusterKind } from './minicluster.ts'

const usage =
  'usage: main.ts --kind simulated|kubernetes --state DIR [--port N] --node NAME=ADDRESS... ' +
  '[--answered-elsewhere] [--etcd FILE --kube-apiserver FILE --kube-controller-manager FILE]'

const nodeOf = (text: string): HollowNodeSpec => {
  const [name, address, ...more] = text.split('=')
  if (name && address && more.length === 0) return { name, address }
  throw new OperatingError(`--node ${text} is not NAME=ADDRESS; ${usage}`)
}

const kindOf = (text: string | undefined): MiniclusterKind => {
  if (text === 'simulated' || text === 'kubernetes') return text
  throw new OperatingError(usage)
}

/** What the process was asked to start. Throws OperatingError with the usage when that is unclear. */
export const readArguments = (args: readonly string[]) => {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      kind: text,
      state: text,
      port: { ...text, default: '0' },
      node: { ...text, multiple: true, default: [] },
      'answered-elsewhere': { type: 'boolean', default: false },
      etcd: text,
      'kube-apiserver': text,
      'kube-controller-manager': text,
    },
  })
  const { state: stateDir, port, etcd, 'kube-apiserver': kubeApiserver } = values
  const elsewhere = values['answered-elsewhere'] ? { answeredElsewhere: true } : {}
  const kubeControllerManager = values['kube-controller-manager']
  if (!stateDir || !/^\d{1,5}$/.test(port)) throw new OperatingError(usage)
  const kind = kindOf(values.kind)
  const common = { stateDir, port: Number(port), nodes: values.node.map(nodeOf), ...elsewhere }
  if (!etcd || !kubeApiserver || !kubeControllerManager) return { kind, options: common }
  return { kind, options: { ...common, binaries: { etcd, kubeApiserver, kubeControllerManager } } }
}
