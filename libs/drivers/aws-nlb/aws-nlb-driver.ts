import { ownershipMarks, platformTenant, type InstallationId } from '@weir/contract'
import { Bug, type Clock, type Logger } from '@weir/kernel'
import { createReadGate, type Budget, type Rate } from '../budget.ts'
import type { Driver, Outcome, Step } from '../driver.ts'
import { createAwsApi, type AwsApi } from './api.ts'
import { parseCall, send, type StepCall } from './calls.ts'
import { createHints, type Hints } from './hints.ts'
import { listPage } from './inventory.ts'
import { observe } from './observe.ts'
import { failureOf, isThrottle, outcomeOf } from './outcome.ts'
import { plan } from './plan.ts'
import { probe } from './probe.ts'
import { readInstanceAddresses } from './read-ec2.ts'
import { readIfThere, type Reader } from './reading.ts'
import { release } from './release.ts'
import type { AwsCredentials, AwsNlbSettings } from './settings.ts'
import type { View } from './view.ts'
import { awsNlbCapabilities } from './wish.ts'

export interface AwsNlbOptions {
  /** The driver's name in this installation; accounts differ by it. */
  readonly name: string
  readonly installation: InstallationId
  readonly clock: Clock
  readonly logger: Logger
  readonly settings: AwsNlbSettings
  readonly credentials: AwsCredentials
  /** The account's rate, shared with every other driver of the account; see `awsRates`. */
  readonly budget: Budget
}

/**
 * What one account may ask without being throttled, after the AWS Load Balancer Controller's defaults
 * (pkg/aws/throttle/defaults.go): Describe 50/s, and the lowest of its changing calls, 3/s.
 */
export const awsRates: { readonly read: Rate; readonly write: Rate } = {
  read: { perSecond: 50, burst: 200 },
  write: { perSecond: 3, burst: 20 },
}

/**
 * Drives network load balancers of one AWS account and region: per Service a load balancer, a listener
 * and a target group per port, a security group, and elastic IPs where settings say so.
 */
export const createAwsNlbDriver = (options: AwsNlbOptions): Driver<View> => {
  const { installation, settings, budget, clock } = options
  const api = createAwsApi(settings, options.credentials)
  const hints = createHints(clock, settings.consistencyWindowMs)
  const readFor = (tenant: string): Reader => ({
    api,
    budget,
    pass: createReadGate(budget, tenant),
  })
  return {
    name: options.name,
    capabilities: awsNlbCapabilities,
    probe: () => probe(readFor(platformTenant), settings),
    observe: async (marks) => observe(readFor(marks.tenant), hints, ownershipMarks.parse(marks)),
    plan: (order, seen) => plan({ installation, settings }, order, seen),
    execute: (step, begun = false) =>
      execute({ api, budget, hints, settings, logger: options.logger }, step, begun),
    poll: (token) => poll(readFor(platformTenant), token),
    inventory: (cursor) => listPage(readFor(platformTenant), cursor),
    release: (item) => release({ reader: readFor(item.marks.tenant), installation, hints }, item),
    onChange: () => undefined,
  }
}

interface Executor {
  readonly api: AwsApi
  readonly budget: Budget
  readonly hints: Hints
  readonly settings: AwsNlbSettings
  readonly logger: Logger
}

const holdMs = 1_000
const lookAgainMs = 5_000

const execute = async (executor: Executor, step: Step, begun: boolean): Promise<Outcome> => {
  const { api, budget, hints, logger } = executor
  const call = parseCall(step.call)
  const grant = begun ? budget.goOn(step.tenant, 'write') : budget.ask(step.tenant, 'write')
  if (!grant.granted) {
    const problem = `${step.title}: the account's rate is used up`
    return { status: 'retry', afterMs: grant.retryMs, problem }
  }
  if (call.action === 'RegisterTargets') {
    const alien = await noteAliens(executor, call)
    if (alien !== undefined) return alien
  }
  try {
    const made = await send(api, call)
    if (made !== null) hints.made(call.marks, made)
    noteGone(hints, call)
    return call.settingUp === undefined
      ? { status: 'done' }
      : { status: 'pending', lookAgainMs, token: call.settingUp }
  } catch (error) {
    if (error instanceof Bug) throw error
    const outcome = outcomeOf(call.action, error)
    const failure = failureOf(error)
    logger.info({ call: call.action, code: failure.code, outcome: outcome.status }, step.title)
    if (isThrottle(failure)) budget.hold('write', holdMs)
    if (outcome.status === 'done') noteGone(hints, call)
    if (outcome.status === 'unknown' && call.action === 'AllocateAddress') {
      hints.made(call.marks, null)
    }
    return call.action === 'RegisterTargets' && failure.code === 'InvalidTarget'
      ? noteRejected(hints, call, failure.message)
      : outcome
  }
}

const noteGone = (hints: Hints, call: StepCall): void => {
  const ref =
    call.action === 'DeleteLoadBalancer'
      ? call.input.LoadBalancerArn
      : call.action === 'DeleteTargetGroup'
        ? call.input.TargetGroupArn
        : call.action === 'DeleteListener'
          ? call.input.ListenerArn
          : call.action === 'DeleteSecurityGroup'
            ? call.input.GroupId
            : call.action === 'ReleaseAddress'
              ? call.input.AllocationId
              : undefined
  if (ref !== undefined) hints.gone(call.marks, ref)
}

type Registration = Extract<StepCall, { readonly action: 'RegisterTargets' }>

/**
 * A Node may name any machine of the account as its own, and its tenant would then have traffic sent
 * there. So an instance is a target only where AWS knows it, in our VPC, by the address of the Node; and
 * what address a Node may have, its cluster's settings say.
 */
const noteAliens = async (
  { api, budget, hints, settings }: Executor,
  { marks, addresses }: Registration,
): Promise<Outcome | undefined> => {
  const reader: Reader = { api, budget, pass: createReadGate(budget, marks.tenant, true) }
  const known = await readInstanceAddresses(reader, settings.vpcId, Object.keys(addresses))
  const aliens = Object.entries(addresses).filter(([id, ip]) => known.get(id)?.has(ip) !== true)
  if (aliens.length === 0) return undefined
  const problems = aliens.map(([id, ip]) => {
    const problem = `${settings.vpcId} has no instance ${id} with the address ${ip} of the Node`
    hints.rejected(marks, id, problem)
    return problem
  })
  return { status: 'retry', afterMs: 100, problem: problems.slice(0, 3).join('; ') }
}

/**
 * One instance that AWS does not take, such as a machine that just ended, fails its whole call. The
 * error names it; the next plan does without it for a while, so that the others get in.
 */
const noteRejected = (hints: Hints, call: Registration, problem: string): Outcome => {
  const asked = (call.input.Targets ?? []).flatMap(({ Id }) => Id ?? [])
  const named = asked.filter((id) => problem.includes(id))
  for (const id of asked.length === 1 ? asked : named) hints.rejected(call.marks, id, problem)
  return { status: 'retry', afterMs: 100, problem: `RegisterTargets: ${problem}` }
}

/** How the setting up of a load balancer stands; `token` is its ARN. */
const poll = async (reader: Reader, token: string): Promise<Outcome> => {
  const answer = await readIfThere(reader, `ask about ${token}`, ({ elb }) =>
    elb.describeLoadBalancers({ LoadBalancerArns: [token] }),
  )
  const state = answer?.LoadBalancers?.[0]?.State?.Code
  if (state === 'provisioning') return { status: 'pending', lookAgainMs, token }
  // Failed or not: the next plan sees which.
  return { status: 'done' }
}
