// Targets: registration, draining and health, as the API reference 2015-12-01 says they behave.
import { z } from 'zod'
import { groupAt } from './elb-groups.ts'
import { count, list, parseParams } from './params.ts'
import type { Answer, Params } from './query.ts'
import { balancerState, refuse, type Group, type Registered, type Scene } from './world.ts'

const target = z.strictObject({ Id: z.string(), Port: count(1, 65_535).optional() })
/** AWS names no number; the AWS Load Balancer Controller sends 200 at most, and so do we. */
const params200 = z.strictObject({
  TargetGroupArn: z.string(),
  Targets: list(target).min(1).max(200),
})

const keyOf = (id: string, port: number): string => `${id}:${port}`

/** "If the target is an EC2 instance, it must be in the running state when you register it." */
export const registerTargets = (scene: Scene, params: Params): Answer => {
  const { TargetGroupArn, Targets } = parseParams(params200, params)
  const group = groupAt(scene, TargetGroupArn)
  const alien = Targets.filter(({ Id }) => !scene.premises.instances.has(Id)).map(({ Id }) => Id)
  if (alien.length > 0) {
    const names = alien.map((id) => `'${id}'`).join(', ')
    const problem = `The following targets are not in a running state and cannot be registered: ${names}`
    refuse('InvalidTarget', problem)
  }
  const next = new Map(group.targets)
  for (const { Id, Port = group.port } of Targets) {
    const known = next.get(keyOf(Id, Port))
    if (known !== undefined && known.drainingSince === undefined) continue
    next.set(keyOf(Id, Port), { id: Id, port: Port, registeredAt: scene.now })
  }
  if (next.size > scene.behaviour.limits.targetsPerGroup) {
    refuse('TooManyTargets', 'The maximum number of targets has been reached')
  }
  for (const [key, registered] of next) group.targets.set(key, registered)
  return {}
}

/** What is not registered is passed over. A group that nobody uses has nothing to drain. */
export const deregisterTargets = (scene: Scene, params: Params): Answer => {
  const { TargetGroupArn, Targets } = parseParams(params200, params)
  const group = groupAt(scene, TargetGroupArn)
  for (const { Id, Port } of Targets) {
    for (const [key, registered] of group.targets) {
      const named = registered.id === Id && (Port === undefined || registered.port === Port)
      if (!named || registered.drainingSince !== undefined) continue
      if (!isUsed(scene, group)) group.targets.delete(key)
      else group.targets.set(key, { ...registered, drainingSince: scene.now })
    }
  }
  return {}
}

const isUsed = ({ state }: Scene, group: Group): boolean =>
  [...state.listeners.values()].some(({ groupArn }) => groupArn === group.arn)

const describeParams = z.strictObject({ TargetGroupArn: z.string() })

export const describeTargetHealth = (scene: Scene, params: Params): Answer => {
  const group = groupAt(scene, parseParams(describeParams, params).TargetGroupArn)
  return {
    TargetHealthDescriptions: [...group.targets.values()].map((registered) => ({
      Target: { Id: registered.id, Port: registered.port },
      HealthCheckPort: group.health.port,
      TargetHealth: healthOf(scene, group, registered),
    })),
  }
}

/** The states and reasons in the comment on `TargetHealth`. */
const healthOf = (scene: Scene, group: Group, registered: Registered): Answer => {
  const { now, behaviour, premises, state } = scene
  if (registered.drainingSince !== undefined) {
    return {
      State: 'draining',
      Reason: 'Target.DeregistrationInProgress',
      Description: 'Target deregistration is in progress',
    }
  }
  const users = [...state.listeners.values()].filter(({ groupArn }) => groupArn === group.arn)
  if (users.length === 0) {
    return {
      State: 'unused',
      Reason: 'Target.NotInUse',
      Description: 'Target group is not configured to receive traffic from the load balancer',
    }
  }
  const balancer = state.balancers.get(users[0]?.balancerArn ?? '')
  const setUp = balancer !== undefined && balancerState(balancer, now) === 'active'
  if (!setUp) {
    return {
      State: 'initial',
      Reason: 'Elb.RegistrationInProgress',
      Description: 'Target registration is in progress',
    }
  }
  if (now < Math.max(registered.registeredAt, balancer.readyAt) + behaviour.initialMs) {
    return {
      State: 'initial',
      Reason: 'Elb.InitialHealthChecking',
      Description: 'Initial health checks in progress',
    }
  }
  if (!premises.unhealthy.has(registered.id)) return { State: 'healthy' }
  return {
    State: 'unhealthy',
    Reason: 'Target.ResponseCodeMismatch',
    Description: 'Health checks failed with these codes: [503]',
  }
}
