import * as ec2 from './ec2-actions.ts'
import * as balancers from './elb-balancers.ts'
import * as groups from './elb-groups.ts'
import * as listeners from './elb-listeners.ts'
import * as targets from './elb-targets.ts'
import { z } from 'zod'
import { parseParams } from './params.ts'
import type { Answer, Params } from './query.ts'
import type { Scene } from './world.ts'

export type Service = 'elb' | 'ec2' | 'sts'
export type Run = (scene: Scene, params: Params) => Answer

/** The API versions by which a query names its service. */
export const versions: Readonly<Record<string, Service>> = {
  '2015-12-01': 'elb',
  '2016-11-15': 'ec2',
  '2011-06-15': 'sts',
}

const getCallerIdentity: Run = ({ premises }, params) => {
  parseParams(z.strictObject({}), params)
  const { account } = premises
  return { Arn: `arn:aws:iam::${account}:user/weir`, UserId: 'AIDAFAKE', Account: account }
}

const roleParams = z.strictObject({
  RoleArn: z.string(),
  RoleSessionName: z.string(),
  ExternalId: z.string().optional(),
})

const assumeRole: Run = ({ now }, params) => {
  parseParams(roleParams, params)
  return {
    Credentials: {
      AccessKeyId: 'ASIAFAKEROLE',
      SecretAccessKey: 'secret-of-the-role',
      SessionToken: 'session-of-the-role',
      Expiration: new Date(now + 3_600_000),
    },
  }
}

/** The calls that change something. */
export const changing: Readonly<Record<Service, Readonly<Record<string, Run>>>> = {
  elb: {
    CreateLoadBalancer: balancers.createLoadBalancer,
    DeleteLoadBalancer: balancers.deleteLoadBalancer,
    ModifyLoadBalancerAttributes: balancers.modifyLoadBalancerAttributes,
    SetSecurityGroups: balancers.setSecurityGroups,
    AddTags: balancers.addTags,
    CreateListener: listeners.createListener,
    ModifyListener: listeners.modifyListener,
    DeleteListener: listeners.deleteListener,
    CreateTargetGroup: groups.createTargetGroup,
    ModifyTargetGroup: groups.modifyTargetGroup,
    ModifyTargetGroupAttributes: groups.modifyTargetGroupAttributes,
    DeleteTargetGroup: groups.deleteTargetGroup,
    RegisterTargets: targets.registerTargets,
    DeregisterTargets: targets.deregisterTargets,
  },
  ec2: {
    CreateSecurityGroup: ec2.createSecurityGroup,
    DeleteSecurityGroup: ec2.deleteSecurityGroup,
    AuthorizeSecurityGroupIngress: ec2.authorizeIngress,
    RevokeSecurityGroupIngress: ec2.revokeIngress,
    AllocateAddress: ec2.allocateAddress,
    ReleaseAddress: ec2.releaseAddress,
  },
  sts: {},
}

/** The calls that only look; they may see the world as it was a while ago. */
export const reading: Readonly<Record<Service, Readonly<Record<string, Run>>>> = {
  elb: {
    DescribeLoadBalancers: balancers.describeLoadBalancers,
    DescribeLoadBalancerAttributes: balancers.describeLoadBalancerAttributes,
    DescribeTags: balancers.describeTags,
    DescribeListeners: listeners.describeListeners,
    DescribeAccountLimits: listeners.describeAccountLimits,
    DescribeTargetGroups: groups.describeTargetGroups,
    DescribeTargetGroupAttributes: groups.describeTargetGroupAttributes,
    DescribeTargetHealth: targets.describeTargetHealth,
  },
  ec2: {
    DescribeSecurityGroups: ec2.describeSecurityGroups,
    DescribeAddresses: ec2.describeAddresses,
    DescribeSubnets: ec2.describeSubnets,
    DescribeInstances: ec2.describeInstances,
  },
  sts: { GetCallerIdentity: getCallerIdentity, AssumeRole: assumeRole },
}
