import { internalError, invalid, invalidValue } from '../../api-error.ts'
import type { KubeObject } from '../../object.ts'
import type { Change } from '../../storage/table.ts'
import { addressPool, nodePortPool, type Pool } from './pools.ts'
import { alignClusterIps, inheritAllocated } from './prepare.ts'
import {
  allocatesNodePorts,
  asService,
  heldNodePorts,
  needsClusterIp,
  needsHealthCheckPort,
  type Service,
  type ServiceSpec,
  usesNodePorts,
} from './service.ts'
import { validateFamilies } from './validate-addresses.ts'

export const serviceSubject = { group: '', plural: 'services', kind: 'Service' }

/**
 * Cluster IPs and node ports of one cluster. What is taken follows the stored Services, so a write
 * that fails or is a dry run takes nothing.
 */
export class ServiceAllocations {
  readonly #addresses: Pool<string>
  readonly #ports: Pool<number>

  /** @param random a number in [0, 1), to spread choices as the real one does. */
  constructor(random: () => number) {
    this.#addresses = addressPool(random)
    this.#ports = nodePortPool(random)
  }

  observe(change: Change): void {
    if (change.before !== undefined) this.#release(asService(change.before.object).spec)
    if (change.type !== 'DELETED') this.hold(asService(change.now.object).spec)
  }

  hold(spec: ServiceSpec): void {
    for (const address of spec.clusterIPs ?? [])
      if (address !== 'None') this.#addresses.take(address)
    for (const port of heldNodePorts(spec)) this.#ports.take(port)
  }

  #release(spec: ServiceSpec): void {
    for (const address of spec.clusterIPs ?? []) this.#addresses.release(address)
    for (const port of heldNodePorts(spec)) this.#ports.release(port)
  }

  /** Fills in what the Service lacks. Throws ApiError where what it asks for cannot be had. */
  allocate(draft: KubeObject, old: KubeObject | undefined): void {
    const service = asService(draft)
    const before = old === undefined ? undefined : asService(old).spec
    if (before !== undefined) inheritAllocated(service.spec, before)
    alignClusterIps(service.spec, before)
    this.#settleFamilies(service, before)
    this.#allocateAddresses(service, before)
    this.#allocatePorts(service, before)
  }

  // One family, IPv4: a demand for two is refused as a single-stack cluster refuses it.
  #settleFamilies(service: Service, before: ServiceSpec | undefined): void {
    const { spec } = service
    if (!needsClusterIp(spec)) return
    const bare = spec.clusterIP === 'None' && Object.keys(spec.selector ?? {}).length === 0
    spec.ipFamilyPolicy ??= before?.ipFamilyPolicy ?? (bare ? 'RequireDualStack' : 'SingleStack')
    const problems = validateFamilies(spec, bare)
    if (problems.length > 0) throw invalid(serviceSubject, service.metadata.name, problems)
    if (!spec.ipFamilies?.length) spec.ipFamilies = ['IPv4']
    const families = spec.ipFamilies
    if (bare && families.length < 2 && spec.ipFamilyPolicy !== 'SingleStack')
      families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4')
  }

  #allocateAddresses(service: Service, before: ServiceSpec | undefined): void {
    const { spec } = service
    if (!needsClusterIp(spec) || spec.clusterIPs?.[0] === 'None') return
    const asked = spec.clusterIPs?.[0]
    if (asked !== undefined) {
      if (before?.clusterIPs?.includes(asked)) return
      const refusal = this.#addresses.refusal(asked)
      if (refusal === undefined) return
      throw invalid(serviceSubject, service.metadata.name, [
        invalidValue(
          'spec.clusterIPs',
          spec.clusterIPs,
          `failed to allocate IP ${asked}: ${refusal}`,
        ),
      ])
    }
    const address = this.#addresses.choose(new Set())
    if (address === undefined)
      throw internalError(
        `failed to allocate a serviceIP for Service "${service.metadata.name}": range is full`,
      )
    spec.clusterIP = address
    spec.clusterIPs = [address]
  }

  #allocatePorts(service: Service, before: ServiceSpec | undefined): void {
    const { spec } = service
    const mine = new Set(before === undefined ? [] : heldNodePorts(before))
    const taken = new Set<number>()
    if (usesNodePorts(spec)) this.#allocateNodePorts(service, mine, taken)
    if (!needsHealthCheckPort(spec)) return
    if (before !== undefined && needsHealthCheckPort(before)) return
    const asked = spec.healthCheckNodePort
    if (asked === undefined) {
      spec.healthCheckNodePort = this.#choosePort(
        taken,
        'failed to allocate a HealthCheck NodePort 0',
      )
      return
    }
    const refusal = taken.has(asked) ? alreadyAllocated : this.#ports.refusal(asked)
    if (refusal !== undefined)
      throw internalError(`failed to allocate requested HealthCheck NodePort ${asked}: ${refusal}`)
  }

  #allocateNodePorts(service: Service, mine: ReadonlySet<number>, taken: Set<number>): void {
    const ports = service.spec.ports ?? []
    // The same port number under TCP and UDP shares one node port, where one of the two names it.
    const byPort = new Map<number, number>()
    for (const port of ports)
      if (port.nodePort !== undefined && !byPort.has(port.port))
        byPort.set(port.port, port.nodePort)
    for (const [index, port] of ports.entries()) {
      if (port.nodePort === undefined) {
        if (!allocatesNodePorts(service.spec)) continue
        const shared = mine.size === 0 ? byPort.get(port.port) : undefined
        port.nodePort = shared ?? this.#choosePort(taken, 'failed to allocate a nodePort')
        byPort.set(port.port, port.nodePort)
      } else if (!mine.has(port.nodePort) && !taken.has(port.nodePort)) {
        const refusal = this.#ports.refusal(port.nodePort)
        if (refusal !== undefined)
          throw invalid(serviceSubject, service.metadata.name, [
            invalidValue(`spec.ports[${index}].nodePort`, port.nodePort, refusal),
          ])
      }
      taken.add(port.nodePort)
    }
  }

  #choosePort(taken: ReadonlySet<number>, attempt: string): number {
    const port = this.#ports.choose(taken)
    if (port === undefined) throw internalError(`${attempt}: range is full`)
    return port
  }
}

const alreadyAllocated = 'provided port is already allocated'
