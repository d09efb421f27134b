import type { IpPermission } from '@aws-sdk/client-ec2'
import type { Making, Planned } from './plan-serve.ts'
import { isTarget, ruleText, type Rule, type SeenTargetGroup } from './view.ts'
import type { WishedListener } from './wish.ts'

/** What one call takes; AWS itself allows more in some calls and never says how much. */
const targetsPerCall = 200

/** Fits the target groups that are wished: attributes, health check and new targets; then old ones. */
export const planTargets = ({
  view,
  wish,
  settings,
}: Making): { readonly fit: readonly Planned[]; readonly leave: readonly Planned[] } => {
  const refused = new Set(view.rejected.map(({ instance }) => instance))
  const instances = [...wish.instances.keys()].sort().filter((id) => !refused.has(id))
  const fit: Planned[] = []
  const leave: Planned[] = []
  for (const listener of wish.listeners) {
    const group = view.targetGroups.find(({ name }) => name === listener.groupName)
    if (group === undefined) continue
    fit.push(...fitGroup(group, listener, settings.healthCheckIntervalSeconds))
    const there = group.targets.filter(isTarget)
    const lacking = instances.filter(
      (id) => !there.some((at) => at.instance === id && at.port === listener.nodePort),
    )
    const extra = there.filter(
      (at) => at.port !== listener.nodePort || !instances.includes(at.instance),
    )
    for (const ids of chunks(lacking, targetsPerCall)) {
      const input = {
        TargetGroupArn: group.arn,
        Targets: ids.map((Id) => ({ Id, Port: listener.nodePort })),
      }
      const title = `register ${ids.length} targets in ${group.name}`
      const addresses = Object.fromEntries(ids.map((id) => [id, wish.instances.get(id) ?? '']))
      fit.push([title, { action: 'RegisterTargets', input, addresses }])
    }
    for (const some of chunks(extra, targetsPerCall)) {
      const input = {
        TargetGroupArn: group.arn,
        Targets: some.map(({ instance, port }) => ({ Id: instance, Port: port })),
      }
      const title = `deregister ${some.length} targets from ${group.name}`
      leave.push([title, { action: 'DeregisterTargets', input }])
    }
  }
  return { fit, leave }
}

const fitGroup = (
  group: SeenTargetGroup,
  listener: WishedListener,
  intervalSeconds: number,
): readonly Planned[] => {
  const planned: Planned[] = []
  const TargetGroupArn = group.arn
  const healthFits =
    group.healthPort === listener.healthPort &&
    group.healthPath === listener.healthPath &&
    group.healthIntervalSeconds === intervalSeconds
  if (!healthFits) {
    const input = {
      TargetGroupArn,
      HealthCheckPort: listener.healthPort,
      HealthCheckPath: listener.healthPath,
      HealthCheckIntervalSeconds: intervalSeconds,
    }
    planned.push([
      `change the health check of ${group.name}`,
      { action: 'ModifyTargetGroup', input },
    ])
  }
  const Attributes = Object.entries(listener.attributes)
    .filter(([key, value]) => group.attributes[key] !== value)
    .map(([Key, Value]) => ({ Key, Value }))
  if (Attributes.length > 0) {
    const input = { TargetGroupArn, Attributes }
    const title = `set ${Attributes.map(({ Key }) => Key).join(', ')} of ${group.name}`
    planned.push([title, { action: 'ModifyTargetGroupAttributes', input }])
  }
  return planned
}

/** Who may reach which port: opened before listeners need it, closed after they are gone. */
export const planRules = ({
  view,
  wish,
}: Making): { readonly open: readonly Planned[]; readonly close: readonly Planned[] } => {
  const group = view.securityGroup
  if (group === null) return { open: [], close: [] }
  const there = new Set(group.rules.map(ruleText))
  const wanted = new Set(wish.rules.map(ruleText))
  const lacking = wish.rules.filter((rule) => !there.has(ruleText(rule)))
  const extra = group.rules.filter((rule) => !wanted.has(ruleText(rule)))
  const inputOf = (rules: readonly Rule[]) => ({
    GroupId: group.id,
    IpPermissions: permissions(rules),
  })
  return {
    open:
      lacking.length === 0
        ? []
        : [
            [
              `allow ${lacking.length} sources in ${group.id}`,
              { action: 'AuthorizeSecurityGroupIngress', input: inputOf(lacking) },
            ],
          ],
    close:
      extra.length === 0
        ? []
        : [
            [
              `take ${extra.length} sources out of ${group.id}`,
              { action: 'RevokeSecurityGroupIngress', input: inputOf(extra) },
            ],
          ],
  }
}

const permissions = (rules: readonly Rule[]): IpPermission[] => {
  const byPort = new Map<string, Rule[]>()
  for (const rule of rules) {
    const port = `${rule.protocol}/${rule.fromPort}-${rule.toPort}`
    byPort.set(port, [...(byPort.get(port) ?? []), rule])
  }
  return [...byPort.values()].flatMap((same) => {
    const [first] = same
    if (first === undefined) return []
    const v4 = same.filter(({ cidr }) => !cidr.includes(':'))
    const v6 = same.filter(({ cidr }) => cidr.includes(':'))
    return {
      IpProtocol: first.protocol,
      FromPort: first.fromPort,
      ToPort: first.toPort,
      ...(v4.length === 0 ? {} : { IpRanges: v4.map(({ cidr }) => ({ CidrIp: cidr })) }),
      ...(v6.length === 0 ? {} : { Ipv6Ranges: v6.map(({ cidr }) => ({ CidrIpv6: cidr })) }),
    }
  })
}

function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let from = 0; from < all.length; from += size) yield all.slice(from, from + size)
}
