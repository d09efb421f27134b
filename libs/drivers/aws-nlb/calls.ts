import type {
  AllocateAddressCommandInput,
  AuthorizeSecurityGroupIngressCommandInput,
  CreateSecurityGroupCommandInput,
  DeleteSecurityGroupCommandInput,
  ReleaseAddressCommandInput,
  RevokeSecurityGroupIngressCommandInput,
} from '@aws-sdk/client-ec2'
import type {
  AddTagsCommandInput,
  CreateListenerCommandInput,
  CreateLoadBalancerCommandInput,
  CreateTargetGroupCommandInput,
  DeleteListenerCommandInput,
  DeleteLoadBalancerCommandInput,
  DeleteTargetGroupCommandInput,
  DeregisterTargetsCommandInput,
  ModifyListenerCommandInput,
  ModifyLoadBalancerAttributesCommandInput,
  ModifyTargetGroupAttributesCommandInput,
  ModifyTargetGroupCommandInput,
  RegisterTargetsCommandInput,
  SetSecurityGroupsCommandInput,
} from '@aws-sdk/client-elastic-load-balancing-v2'
import { ownershipMarks, type OwnershipMarks } from '@weir/contract'
import { Bug } from '@weir/kernel'
import type { AwsApi } from './api.ts'

/** One call that changes something, as data: an action of AWS's API and its parameters. */
export type AwsCall =
  | { readonly action: 'CreateLoadBalancer'; readonly input: CreateLoadBalancerCommandInput }
  | { readonly action: 'DeleteLoadBalancer'; readonly input: DeleteLoadBalancerCommandInput }
  | { readonly action: 'SetSecurityGroups'; readonly input: SetSecurityGroupsCommandInput }
  | {
      readonly action: 'ModifyLoadBalancerAttributes'
      readonly input: ModifyLoadBalancerAttributesCommandInput
    }
  | { readonly action: 'CreateListener'; readonly input: CreateListenerCommandInput }
  | { readonly action: 'ModifyListener'; readonly input: ModifyListenerCommandInput }
  | { readonly action: 'DeleteListener'; readonly input: DeleteListenerCommandInput }
  | { readonly action: 'CreateTargetGroup'; readonly input: CreateTargetGroupCommandInput }
  | { readonly action: 'ModifyTargetGroup'; readonly input: ModifyTargetGroupCommandInput }
  | {
      readonly action: 'ModifyTargetGroupAttributes'
      readonly input: ModifyTargetGroupAttributesCommandInput
    }
  | { readonly action: 'DeleteTargetGroup'; readonly input: DeleteTargetGroupCommandInput }
  | {
      readonly action: 'RegisterTargets'
      readonly input: RegisterTargetsCommandInput
      /** By instance id, the address that it must have to be the machine that is meant. */
      readonly addresses: Readonly<Record<string, string>>
    }
  | { readonly action: 'DeregisterTargets'; readonly input: DeregisterTargetsCommandInput }
  | { readonly action: 'AddTags'; readonly input: AddTagsCommandInput }
  | { readonly action: 'CreateSecurityGroup'; readonly input: CreateSecurityGroupCommandInput }
  | { readonly action: 'DeleteSecurityGroup'; readonly input: DeleteSecurityGroupCommandInput }
  | {
      readonly action: 'AuthorizeSecurityGroupIngress'
      readonly input: AuthorizeSecurityGroupIngressCommandInput
    }
  | {
      readonly action: 'RevokeSecurityGroupIngress'
      readonly input: RevokeSecurityGroupIngressCommandInput
    }
  | { readonly action: 'AllocateAddress'; readonly input: AllocateAddressCommandInput }
  | { readonly action: 'ReleaseAddress'; readonly input: ReleaseAddressCommandInput }

export type Action = AwsCall['action']

/** A step's data: the call, whose resource it works on, and what is left to wait for after it. */
export type StepCall = AwsCall & {
  readonly marks: OwnershipMarks
  /** The load balancer that AWS still sets up; the outcome is then `pending` with this token. */
  readonly settingUp?: string
}

/**
 * Makes the call. Answers the id of what it made, or null when it makes nothing.
 *
 * @throws whatever the SDK throws; `outcomeOf` reads it.
 */
export const send = async (api: AwsApi, call: AwsCall): Promise<string | null> => {
  const { elb, ec2 } = await api.clients()
  switch (call.action) {
    case 'CreateLoadBalancer':
      return (await elb.createLoadBalancer(call.input)).LoadBalancers?.[0]?.LoadBalancerArn ?? null
    case 'CreateTargetGroup':
      return (await elb.createTargetGroup(call.input)).TargetGroups?.[0]?.TargetGroupArn ?? null
    case 'CreateListener':
      return (await elb.createListener(call.input)).Listeners?.[0]?.ListenerArn ?? null
    case 'CreateSecurityGroup':
      return (await ec2.createSecurityGroup(call.input)).GroupId ?? null
    case 'AllocateAddress':
      return (await ec2.allocateAddress(call.input)).AllocationId ?? null
    default:
      await change(api, call)
      return null
  }
}

type Making =
  | 'CreateLoadBalancer'
  | 'CreateTargetGroup'
  | 'CreateListener'
  | 'CreateSecurityGroup'
  | 'AllocateAddress'

const change = async (
  api: AwsApi,
  call: Exclude<AwsCall, { readonly action: Making }>,
): Promise<unknown> => {
  const { elb, ec2 } = await api.clients()
  switch (call.action) {
    case 'DeleteLoadBalancer':
      return elb.deleteLoadBalancer(call.input)
    case 'SetSecurityGroups':
      return elb.setSecurityGroups(call.input)
    case 'ModifyLoadBalancerAttributes':
      return elb.modifyLoadBalancerAttributes(call.input)
    case 'ModifyListener':
      return elb.modifyListener(call.input)
    case 'DeleteListener':
      return elb.deleteListener(call.input)
    case 'ModifyTargetGroup':
      return elb.modifyTargetGroup(call.input)
    case 'ModifyTargetGroupAttributes':
      return elb.modifyTargetGroupAttributes(call.input)
    case 'DeleteTargetGroup':
      return elb.deleteTargetGroup(call.input)
    case 'RegisterTargets':
      return elb.registerTargets(call.input)
    case 'DeregisterTargets':
      return elb.deregisterTargets(call.input)
    case 'AddTags':
      return elb.addTags(call.input)
    case 'DeleteSecurityGroup':
      return ec2.deleteSecurityGroup(call.input)
    case 'AuthorizeSecurityGroupIngress':
      return ec2.authorizeSecurityGroupIngress(call.input)
    case 'RevokeSecurityGroupIngress':
      return ec2.revokeSecurityGroupIngress(call.input)
    case 'ReleaseAddress':
      return ec2.releaseAddress(call.input)
  }
}

const actions: readonly string[] = [
  'CreateLoadBalancer',
  'DeleteLoadBalancer',
  'SetSecurityGroups',
  'ModifyLoadBalancerAttributes',
  'CreateListener',
  'ModifyListener',
  'DeleteListener',
  'CreateTargetGroup',
  'ModifyTargetGroup',
  'ModifyTargetGroupAttributes',
  'DeleteTargetGroup',
  'RegisterTargets',
  'DeregisterTargets',
  'AddTags',
  'CreateSecurityGroup',
  'DeleteSecurityGroup',
  'AuthorizeSecurityGroupIngress',
  'RevokeSecurityGroupIngress',
  'AllocateAddress',
  'ReleaseAddress',
]

/** Takes the data of a step back; a step that no plan of ours made is a bug of the caller's. */
export const parseCall = (call: unknown): StepCall => {
  const isCall =
    typeof call === 'object' &&
    call !== null &&
    'action' in call &&
    typeof call.action === 'string' &&
    actions.includes(call.action) &&
    'input' in call &&
    'marks' in call &&
    ownershipMarks.safeParse(call.marks).success
  if (!isCall) throw new Bug('a step that the aws-nlb driver did not plan')
  return call as StepCall
}
