import type { OwnershipMarks } from '@weir/contract'
import type { Plan, Step } from '../driver.ts'
import type { StepCall } from './calls.ts'
import type { View } from './view.ts'

/**
 * The load balancer first, with its listeners; then what it held. AWS lets go of the rest one after
 * the other, some of it minutes later: until then the calls answer `locked`.
 */
export const planRemove = (marks: OwnershipMarks, view: View): Plan => {
  const step = (title: string, call: StepCall): Step => ({ title, tenant: marks.tenant, call })
  const balancer = view.loadBalancer
  if (balancer !== null) {
    const input = { LoadBalancerArn: balancer.arn }
    const call: StepCall = { action: 'DeleteLoadBalancer', input, marks }
    return { status: 'steps', steps: [step(`delete load balancer ${balancer.name}`, call)] }
  }
  const groups = view.targetGroups.map(({ arn, name }) =>
    step(`delete target group ${name}`, {
      action: 'DeleteTargetGroup',
      input: { TargetGroupArn: arn },
      marks,
    }),
  )
  const addresses = view.addresses.map(({ allocationId, ip }) =>
    step(`release elastic IP ${ip}`, {
      action: 'ReleaseAddress',
      input: { AllocationId: allocationId },
      marks,
    }),
  )
  const security =
    view.securityGroup === null
      ? []
      : [
          step(`delete security group ${view.securityGroup.id}`, {
            action: 'DeleteSecurityGroup',
            input: { GroupId: view.securityGroup.id },
            marks,
          }),
        ]
  return { status: 'steps', steps: [...groups, ...addresses, ...security] }
}
