import { expect, test } from 'vitest'
import type { Action } from './calls.ts'
import { outcomeOf } from './outcome.ts'

const said = (name: string, status: number): Error =>
  Object.assign(new Error('as AWS words it'), { name, $metadata: { httpStatusCode: status } })
const broke = (code: string): Error => Object.assign(new Error('as the network words it'), { code })

const rows: readonly (readonly [Action, Error, string])[] = [
  ['CreateLoadBalancer', said('Throttling', 400), 'retry'],
  ['CreateLoadBalancer', said('ThrottlingException', 400), 'retry'],
  ['AllocateAddress', said('RequestLimitExceeded', 503), 'retry'],
  ['CreateLoadBalancer', said('ServiceUnavailable', 503), 'retry'],
  ['CreateSecurityGroup', said('ServiceUnavailable', 400), 'retry'],
  ['CreateSecurityGroup', said('Unavailable', 400), 'retry'],
  ['CreateLoadBalancer', said('AccessDenied', 403), 'retry'],
  ['CreateSecurityGroup', said('UnauthorizedOperation', 403), 'retry'],
  ['CreateLoadBalancer', said('TooManyLoadBalancersException', 400), 'retry'],
  ['AllocateAddress', said('AddressLimitExceeded', 400), 'retry'],
  ['DeleteLoadBalancer', said('OperationNotPermittedException', 400), 'retry'],
  ['CreateLoadBalancer', broke('ECONNREFUSED'), 'retry'],
  ['CreateLoadBalancer', broke('ENOTFOUND'), 'retry'],
  // It is not there yet: the tag call right after a create may find nothing.
  ['AddTags', said('LoadBalancerNotFoundException', 400), 'retry'],
  ['CreateListener', said('TargetGroupNotFoundException', 400), 'retry'],
  // It is not there any more.
  ['DeleteListener', said('ListenerNotFoundException', 400), 'done'],
  ['DeleteTargetGroup', said('TargetGroupNotFoundException', 400), 'done'],
  ['DeleteSecurityGroup', said('InvalidGroup.NotFound', 400), 'done'],
  ['ReleaseAddress', said('InvalidAllocationID.NotFound', 400), 'done'],
  ['DeleteTargetGroup', said('ResourceInUseException', 400), 'locked'],
  ['DeleteSecurityGroup', said('DependencyViolation', 400), 'locked'],
  ['ReleaseAddress', said('InvalidIPAddress.InUse', 400), 'locked'],
  // Somebody was faster, or the read before was old.
  ['CreateLoadBalancer', said('DuplicateLoadBalancerNameException', 400), 'unknown'],
  ['CreateTargetGroup', said('DuplicateTargetGroupNameException', 400), 'unknown'],
  ['CreateListener', said('DuplicateListenerException', 400), 'unknown'],
  ['CreateSecurityGroup', said('InvalidGroup.Duplicate', 400), 'unknown'],
  ['AuthorizeSecurityGroupIngress', said('InvalidPermission.Duplicate', 400), 'unknown'],
  // It may have happened.
  ['CreateLoadBalancer', broke('ECONNRESET'), 'unknown'],
  ['CreateLoadBalancer', said('TimeoutError', 0), 'unknown'],
  ['CreateLoadBalancer', said('InternalFailure', 500), 'unknown'],
  ['CreateLoadBalancer', new SyntaxError('no XML'), 'unknown'],
  // This Service asks what AWS will never do.
  ['CreateListener', said('TooManyListenersException', 400), 'refused'],
  ['AuthorizeSecurityGroupIngress', said('RulesPerSecurityGroupLimitExceeded', 400), 'refused'],
  ['CreateLoadBalancer', said('InvalidSubnetException', 400), 'refused'],
]

test.each(rows)('%s: %s', (action, error, status) => {
  expect(outcomeOf(action, error).status).toBe(status)
})
