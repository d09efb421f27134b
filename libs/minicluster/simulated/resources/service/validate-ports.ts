import { type Cause, duplicate, forbiddenField, notSupported, required } from '../../api-error.ts'
import {
  causes,
  labelProblems,
  portNameProblems,
  portProblems,
  qualifiedNameProblems,
} from '../names.ts'
import type { ServicePort, ServiceSpec } from './service.ts'

const protocols = ['SCTP', 'TCP', 'UDP']

/** Names, numbers and protocols of the ports, each and together. */
export const validatePorts = (spec: ServiceSpec): Cause[] => {
  const ports = spec.ports ?? []
  const names = new Set<string>()
  return [
    ...ports.flatMap((port, index) =>
      validatePort(port, `spec.ports[${index}]`, { named: ports.length > 1, names }),
    ),
    ...(spec.type === 'ClusterIP' ? forbidNodePorts(ports) : []),
    ...findDuplicates(ports),
  ]
}

const validatePort = (
  port: ServicePort,
  field: string,
  rule: { readonly named: boolean; readonly names: Set<string> },
): Cause[] => [
  ...validateName(port.name ?? '', `${field}.name`, rule),
  ...causes(`${field}.port`, port.port ?? 0, portProblems(port.port ?? 0)),
  ...(protocols.includes(port.protocol)
    ? []
    : [notSupported(`${field}.protocol`, port.protocol, protocols)]),
  ...causes(
    `${field}.targetPort`,
    port.targetPort ?? 0,
    typeof port.targetPort === 'string'
      ? portNameProblems(port.targetPort)
      : portProblems(port.targetPort ?? 0),
  ),
  ...(port.appProtocol === undefined
    ? []
    : causes(`${field}.appProtocol`, port.appProtocol, qualifiedNameProblems(port.appProtocol))),
]

const validateName = (
  name: string,
  field: string,
  rule: { readonly named: boolean; readonly names: Set<string> },
): Cause[] => {
  if (name === '') return rule.named ? [required(field)] : []
  const found = causes(field, name, labelProblems(name))
  if (rule.names.has(name)) return [...found, duplicate(field, name)]
  rule.names.add(name)
  return found
}

const forbidNodePorts = (ports: readonly ServicePort[]): Cause[] =>
  ports.flatMap((port, index) =>
    port.nodePort === undefined
      ? []
      : [
          forbiddenField(
            `spec.ports[${index}].nodePort`,
            "may not be used when `type` is 'ClusterIP'",
          ),
        ],
  )

/** One (protocol, nodePort) and one (protocol, port) each; the same number may be TCP and UDP. */
const findDuplicates = (ports: readonly ServicePort[]): Cause[] => {
  const seen = new Set<string>()
  const isRepeated = (key: string): boolean => {
    const repeated = seen.has(key)
    seen.add(key)
    return repeated
  }
  const nodePorts = ports.flatMap((port, index) =>
    port.nodePort !== undefined && isRepeated(`node ${port.protocol} ${port.nodePort}`)
      ? [duplicate(`spec.ports[${index}].nodePort`, port.nodePort)]
      : [],
  )
  const own = ports.flatMap((port, index) =>
    isRepeated(`own ${port.protocol} ${port.port}`)
      ? [duplicate(`spec.ports[${index}]`, asGo(port.protocol, port.port))]
      : [],
  )
  return [...nodePorts, ...own]
}

/** The duplicate as upstream prints it: its internal type has no JSON names. */
const asGo = (protocol: string, port: number) => ({
  Name: '',
  Protocol: protocol,
  AppProtocol: null,
  Port: port,
  TargetPort: 0,
  NodePort: 0,
})
