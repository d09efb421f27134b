import { hashOf } from '@weir/contract'
import type { Tags } from './tags.ts'

/** Everything at AWS under the marks of one resource, as one `observe` read it. */
export interface View {
  readonly loadBalancer: SeenLoadBalancer | null
  readonly targetGroups: readonly SeenTargetGroup[]
  readonly securityGroup: SeenSecurityGroup | null
  readonly addresses: readonly SeenAddress[]
  /** Things under our names or keys that carry other marks: never touched, and in our way. */
  readonly foreign: readonly string[]
  /** The newest incarnation of the same owner that shows, when it is newer than this one. */
  readonly newer: { readonly epoch: number; readonly generation: number } | null
  /** Instances that AWS refused as targets a moment ago, and why. */
  readonly rejected: readonly { readonly instance: string; readonly problem: string }[]
}

export interface SeenLoadBalancer {
  readonly arn: string
  readonly name: string
  readonly dnsName: string
  readonly state: 'provisioning' | 'active' | 'active_impaired' | 'failed'
  readonly reason: string
  readonly securityGroups: readonly string[]
  readonly crossZone: boolean
  readonly tags: Tags
  readonly listeners: readonly SeenListener[]
}

export interface SeenListener {
  readonly arn: string
  readonly port: number
  readonly protocol: string
  readonly targetGroupArn: string | null
}

export interface SeenTargetGroup {
  readonly arn: string
  readonly name: string
  readonly protocol: string
  readonly port: number
  readonly healthPort: string
  readonly healthPath: string
  readonly healthIntervalSeconds: number
  readonly attributes: Readonly<Record<string, string>>
  readonly targets: readonly SeenTarget[]
}

export interface SeenTarget {
  readonly instance: string
  readonly port: number
  readonly state: string
  readonly problem: string | null
}

export interface SeenSecurityGroup {
  readonly id: string
  readonly rules: readonly Rule[]
}

/** One block of addresses that may reach a range of ports. */
export interface Rule {
  readonly protocol: string
  readonly fromPort: number
  readonly toPort: number
  readonly cidr: string
}

export interface SeenAddress {
  readonly allocationId: string
  readonly ip: string
  readonly associated: boolean
}

export const ruleText = (rule: Rule): string =>
  `${rule.protocol}/${rule.fromPort}-${rule.toPort} ${rule.cidr}`

/** Whether a target takes new connections or is about to: what drains has left already. */
export const isTarget = ({ state }: SeenTarget): boolean => state !== 'draining'

/**
 * A fingerprint of all that a load balancer does with traffic, health aside. It is written beside the
 * hash of the order, and the hash counts only while both agree: a change by hand shows as drift.
 */
export const shapeOf = (view: View): string => {
  const balancer = view.loadBalancer
  const groups = new Map(view.targetGroups.map((group) => [group.arn, group]))
  return hashOf({
    listeners: (balancer?.listeners ?? [])
      .map(({ port, protocol, targetGroupArn }) => {
        const group = groups.get(targetGroupArn ?? '')
        return `${protocol}/${port} ${group === undefined ? '' : groupShape(group)}`
      })
      .sort(),
    crossZone: balancer?.crossZone ?? false,
    securityGroups: [...(balancer?.securityGroups ?? [])].sort(),
    rules: (view.securityGroup?.rules ?? []).map(ruleText).sort(),
  })
}

const groupShape = (group: SeenTargetGroup): string =>
  hashOf({
    port: group.port,
    health: `${group.healthPort}${group.healthPath}`,
    interval: group.healthIntervalSeconds,
    attributes: Object.entries(group.attributes)
      .map((pair) => pair.join('='))
      .sort(),
    targets: group.targets
      .filter(isTarget)
      .map(({ instance, port }) => `${instance}:${port}`)
      .sort(),
  })
