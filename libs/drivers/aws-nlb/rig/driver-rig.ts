import type { DesiredResource, InstallationId } from '@weir/contract'
import { silentLogger, systemClock, type Clock } from '@weir/kernel'
import { createBudget } from '../../budget.ts'
import { carryOut } from '../../carry-out.ts'
import type { DriverRig, SuiteOptions } from '../../driver.conformance.ts'
import type { Driver } from '../../driver.ts'
import { desiredOf, ourInstallation, type SampleOver } from '../../sample-desired.ts'
import { createAwsNlbDriver } from '../aws-nlb-driver.ts'
import type { AwsNlbSettings } from '../settings.ts'
import { awsNlbCapabilities } from '../wish.ts'
import { credentialsOf, settingsFor, type RigAccount } from './account.ts'
import { createFakeAws, type FakeAws } from './fake-aws.ts'
import { serveFake } from './serve-fake.ts'
import { createTruth, providerIdOf } from './truth.ts'

/** Longer than anything takes at AWS: setting up, draining, and reads that lag. */
const longMs = 600_000

/** A clock that runs as the machine's, and can be turned on. */
export const createTurnedClock = (): Clock & { advance(ms: number): void } => {
  let turned = 0
  return {
    ...systemClock,
    now: () => systemClock.now() + turned,
    advance: (ms) => (turned += ms),
  }
}

const plenty = { perSecond: 1_000_000, burst: 1_000_000 }

export interface DriverOver {
  readonly settings?: Partial<AwsNlbSettings>
  readonly installation?: InstallationId
  readonly accessKeyId?: string
}

/** A driver on `account`, as one process has it. */
export const driverOn = (account: RigAccount, clock: Clock, over: DriverOver = {}): Driver =>
  createAwsNlbDriver({
    name: 'aws-nlb',
    installation: over.installation ?? ourInstallation,
    clock,
    logger: silentLogger,
    settings: settingsFor(account, over.settings),
    credentials: credentialsOf(over.accessKeyId ?? 'AKIADRIVER'),
    budget: createBudget({ clock, read: plenty, write: plenty }),
  })

/** A resource that the driver can serve on `account`, with the first two of its instances as targets. */
export const sampleOn = (
  account: RigAccount,
  number = 1,
  over: SampleOver = {},
): DesiredResource => {
  const [one = ['', ''], two = ['', '']] = Object.entries(account.instances)
  return desiredOf(number, {
    driver: 'aws-nlb',
    frontends: [{ ip: '0.0.0.0', protocol: 'TCP', port: 80, nodePort: 30_080 }] as never,
    targets: [
      { node: 'a', ip: one[1], weight: 1, providerId: providerIdOf(one[0]) },
      { node: 'b', ip: two[1], weight: 1, providerId: providerIdOf(two[0]) },
    ] as never,
    ...over,
  })
}

/** What the rigs of both targets have in common. */
export const rigOn = (
  account: RigAccount,
  clock: Clock & { advance(ms: number): void },
  over: DriverOver = {},
): Omit<DriverRig, 'failNext'> => {
  const truth = createTruth(account)
  return {
    ...truth,
    driver: driverOn(account, clock, over),
    another: () => driverOn(account, clock, over),
    settle: async () => {
      clock.advance(longMs)
      await Promise.resolve()
    },
    plant: async (desired, how) => {
      const { installation } = desired.marks
      const theirs = driverOn(account, clock, { ...over, installation })
      const order = { order: 'serve', desired } as const
      if (how === 'whole') {
        await carryOut(theirs, order)
        return
      }
      const plan = theirs.plan(order, await theirs.observe(desired.marks))
      const [first] = plan.status === 'steps' ? plan.steps : []
      if (first !== undefined) await theirs.execute(first)
    },
    plantUnmarked: () => truth.makeByHand(),
    sample: (number, over) => sampleOn(account, number, over),
  }
}

export const fakeInstances = ['i-0fa4e00000000000a', 'i-0fa4e00000000000b', 'i-0fa4e00000000000c']

export interface FakeRig extends DriverRig {
  readonly fake: FakeAws
  readonly account: RigAccount
  readonly clock: Clock & { advance(ms: number): void }
  stop(): Promise<void>
}

/** A driver on a fresh strict fake, whose clock `settle` turns. */
export const createFakeRig = async (over: DriverOver = {}): Promise<FakeRig> => {
  const clock = createTurnedClock()
  const fake = createFakeAws(clock)
  Object.assign(fake.behaviour, { provisioningMs: 120_000, initialMs: 30_000, lingerMs: 60_000 })
  for (const [at, id] of fakeInstances.entries()) fake.premises.instances.set(id, `10.0.0.1${at}`)
  const { endpoint, stop } = await serveFake(fake)
  const { account: id, region, vpcId, subnets } = fake.premises
  const account: RigAccount = {
    endpoint,
    region,
    account: id,
    vpcId,
    subnetIds: [...subnets.keys()],
    instances: Object.fromEntries(fake.premises.instances),
  }
  return {
    ...rigOn(account, clock, over),
    fake,
    account,
    clock,
    failNext: (kind) => fake.meet([{ kind }]),
    freezeReads: (frozen) => fake.freezeReads(frozen),
    stop,
  }
}

/** What the suite is told of the strict fake. */
export const fakeOptions: SuiteOptions = {
  target: 'strict fake',
  capabilities: awsNlbCapabilities,
  tokens: true,
  tellsOfChanges: false,
  tags: true,
  lags: true,
  timeoutMs: 300_000,
}
