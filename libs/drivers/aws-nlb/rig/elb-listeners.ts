// Listeners, as the API reference 2015-12-01 and its SDK comments say they behave.
import { z } from 'zod'
import { balancerAt } from './elb-balancers.ts'
import { count, list, pageOf, parseParams, tag } from './params.ts'
import type { Answer, Params } from './query.ts'
import { checkTags, refuse, settingsOf, type Group, type Listener, type Scene } from './world.ts'

const protocol = z.enum(['TCP', 'UDP', 'TCP_UDP'])
const actions = list(z.strictObject({ Type: z.literal('forward'), TargetGroupArn: z.string() }))
  .min(1)
  .max(1)

const createParams = z.strictObject({
  LoadBalancerArn: z.string(),
  Protocol: protocol,
  Port: count(1, 65_535),
  DefaultActions: actions,
  Tags: list(tag).optional(),
})

/**
 * "This operation is idempotent"; "DuplicateListener: a listener with the specified port already
 * exists": TCP and UDP on one port are one TCP_UDP listener.
 */
export const createListener = (scene: Scene, params: Params): Answer => {
  const input = parseParams(createParams, params)
  const { state, behaviour } = scene
  const balancer = balancerAt(scene, input.LoadBalancerArn)
  const tags = checkTags(input.Tags)
  const createdWith = settingsOf(input)
  const siblings = listenersOf(scene, balancer.arn)
  const same = siblings.find(({ port }) => port === input.Port)
  if (same !== undefined) {
    if (same.createdWith === createdWith) return { Listeners: [describeOne(same)] }
    refuse('DuplicateListener', 'A listener already exists on this port for this load balancer')
  }
  if (siblings.length >= behaviour.limits.listenersPerBalancer) {
    refuse('TooManyListeners', 'The maximum number of listeners has been reached')
  }
  const groupArn = input.DefaultActions[0]?.TargetGroupArn ?? ''
  checkGroup(scene, { balancerArn: balancer.arn, protocol: input.Protocol, groupArn })
  const place = balancer.arn.replace(':loadbalancer/', ':listener/')
  const listener: Listener = {
    arn: `${place}/${scene.fresh(16)}`,
    balancerArn: balancer.arn,
    port: input.Port,
    protocol: input.Protocol,
    groupArn,
    tags,
    createdWith,
  }
  state.listeners.set(listener.arn, listener)
  return { Listeners: [describeOne(listener)] }
}

/** Which groups a listener may forward to, from "Listeners for your Network Load Balancers". */
const fitting: Readonly<Record<string, readonly string[]>> = {
  TCP: ['TCP', 'TCP_UDP'],
  UDP: ['UDP', 'TCP_UDP'],
  TCP_UDP: ['TCP_UDP'],
}

const checkGroup = (
  { state }: Scene,
  to: { readonly balancerArn: string; readonly protocol: string; readonly groupArn: string },
): Group => {
  const group = state.groups.get(to.groupArn)
  if (group === undefined) {
    return refuse('TargetGroupNotFound', `One or more target groups not found: ${to.groupArn}`)
  }
  if (fitting[to.protocol]?.includes(group.protocol) !== true) {
    const problem = `a ${to.protocol} listener cannot forward to a ${group.protocol} target group`
    refuse('InvalidConfigurationRequest', problem)
  }
  for (const other of state.listeners.values()) {
    if (other.groupArn === group.arn && other.balancerArn !== to.balancerArn) {
      const problem = `The following target groups cannot be associated with more than one load balancer: ${group.arn}`
      refuse('TargetGroupAssociationLimit', problem)
    }
  }
  return group
}

export const listenersOf = ({ state }: Scene, balancerArn: string): readonly Listener[] =>
  [...state.listeners.values()].filter((listener) => listener.balancerArn === balancerArn)

const describeOne = (listener: Listener): Answer => ({
  ListenerArn: listener.arn,
  LoadBalancerArn: listener.balancerArn,
  Port: listener.port,
  Protocol: listener.protocol,
  DefaultActions: [{ Type: 'forward', TargetGroupArn: listener.groupArn }],
})

const listenerAt = ({ state }: Scene, arn: string): Listener =>
  state.listeners.get(arn) ?? refuse('ListenerNotFound', `One or more listeners not found: ${arn}`)

const modifyParams = z.strictObject({
  ListenerArn: z.string(),
  Protocol: protocol.optional(),
  Port: count(1, 65_535).optional(),
  DefaultActions: actions.optional(),
})

/** "Any properties that you do not specify remain unchanged." */
export const modifyListener = (scene: Scene, params: Params): Answer => {
  const input = parseParams(modifyParams, params)
  const listener = listenerAt(scene, input.ListenerArn)
  const port = input.Port ?? listener.port
  const taken = listenersOf(scene, listener.balancerArn).some(
    (other) => other !== listener && other.port === port,
  )
  if (taken) refuse('DuplicateListener', 'A listener already exists on this port')
  const next = {
    balancerArn: listener.balancerArn,
    protocol: input.Protocol ?? listener.protocol,
    groupArn: input.DefaultActions?.[0]?.TargetGroupArn ?? listener.groupArn,
  }
  checkGroup(scene, next)
  listener.port = port
  listener.protocol = next.protocol
  listener.groupArn = next.groupArn
  return { Listeners: [describeOne(listener)] }
}

export const deleteListener = (scene: Scene, params: Params): Answer => {
  const { ListenerArn } = parseParams(z.strictObject({ ListenerArn: z.string() }), params)
  const listener = listenerAt(scene, ListenerArn)
  scene.state.listeners.delete(listener.arn)
  return {}
}

const describeParams = z.strictObject({
  LoadBalancerArn: z.string(),
  Marker: z.string().optional(),
  PageSize: count(1, 400).default(400),
})

export const describeListeners = (scene: Scene, params: Params): Answer => {
  const input = parseParams(describeParams, params)
  const all = listenersOf(scene, balancerAt(scene, input.LoadBalancerArn).arn)
  const { items, next } = pageOf(all, input.PageSize, input.Marker)
  return { Listeners: items.map(describeOne), NextMarker: next }
}

/** The first of the quotas that DescribeAccountLimits tells. */
export const describeAccountLimits = (scene: Scene, params: Params): Answer => {
  const known = z.strictObject({
    PageSize: count(1, 400).optional(),
    Marker: z.string().optional(),
  })
  parseParams(known, params)
  const { limits } = scene.behaviour
  return {
    Limits: [
      { Name: 'network-load-balancers', Max: String(limits.balancers) },
      { Name: 'target-groups', Max: String(limits.groups) },
      { Name: 'listeners-per-network-load-balancer', Max: String(limits.listenersPerBalancer) },
    ],
  }
}
