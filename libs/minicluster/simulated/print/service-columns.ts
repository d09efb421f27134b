import type { KubeObject } from '../object.ts'
import type { Column } from '../resources/resource.ts'
import { asService, type Service } from '../resources/service/service.ts'
import { ageColumn, column, labelText, nameColumn, orNone } from './format.ts'

const clusterIp = (object: KubeObject): string => asService(object).spec.clusterIPs?.[0] ?? 'None'

const ingressText = (service: Service): string => {
  const shown = (service.status.loadBalancer.ingress ?? []).map(
    (one) => one.ip ?? one.hostname ?? '',
  )
  return [...new Set(shown.filter((one) => one !== ''))].sort().join(',')
}

const externalIp = (object: KubeObject): string => {
  const service = asService(object)
  const { spec } = service
  const given = spec.externalIPs ?? []
  if (spec.type === 'ExternalName') return spec.externalName ?? ''
  if (spec.type !== 'LoadBalancer') return orNone(given.join(','))
  const ingress = ingressText(service)
  const all = ingress === '' ? given : [ingress, ...given]
  return all.length === 0 ? '<pending>' : all.join(',')
}

const portText = (object: KubeObject): string => {
  const ports = asService(object).spec.ports ?? []
  const shown = ports.map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  )
  return orNone(shown.join(','))
}

export const serviceColumns: readonly Column[] = [
  nameColumn,
  column('Type', (object) => asService(object).spec.type),
  column('Cluster-IP', clusterIp),
  column('External-IP', externalIp),
  column('Port(s)', portText),
  ageColumn,
  column('Selector', (object) => labelText(asService(object).spec.selector), 1),
]
