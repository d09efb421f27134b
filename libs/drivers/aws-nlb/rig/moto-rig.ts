import { OperatingError } from '@weir/kernel'
import type { DriverRig, SuiteOptions } from '../../driver.conformance.ts'
import { createAwsApi } from '../api.ts'
import { credentialsOf, settingsFor, type RigAccount } from './account.ts'
import { createTurnedClock, fakeOptions, rigOn } from './driver-rig.ts'
import { startFaultProxy } from './fault-proxy.ts'
import type { MotoServer } from './moto-server.ts'

/** A driver on an emptied moto, with three instances in the subnets of its default VPC. */
export const createMotoRig = async (moto: MotoServer): Promise<DriverRig> => {
  await moto.reset()
  const proxy = await startFaultProxy(moto.endpoint)
  const account = await furnish(proxy.endpoint)
  return {
    ...rigOn(account, createTurnedClock()),
    failNext: proxy.failNext,
    stop: proxy.stop,
  }
}

/**
 * What the suite is told of moto. It never lags, and sets load balancers up before anybody can ask,
 * so there is nothing to wait for with a token.
 */
export const motoOptions: SuiteOptions = {
  ...fakeOptions,
  target: 'moto 5.2.1',
  tokens: false,
  lags: false,
}

const unknown = { region: 'eu-central-1', account: '123456789012', vpcId: 'vpc-0', subnetIds: [] }

/** Looks the default VPC up and starts instances in it. */
const furnish = async (endpoint: string): Promise<RigAccount> => {
  const empty: RigAccount = { ...unknown, endpoint, subnetIds: ['subnet-0'], instances: [] }
  const { ec2 } = await createAwsApi(settingsFor(empty), credentialsOf('AKIARIG')).clients()
  const { Subnets = [] } = await ec2.describeSubnets({})
  const vpcId = Subnets[0]?.VpcId
  if (vpcId === undefined) throw new OperatingError('moto has no default VPC')
  const { Instances = [] } = await ec2.runInstances({
    ImageId: 'ami-12c6146b',
    InstanceType: 't3.micro',
    MinCount: 3,
    MaxCount: 3,
  })
  return {
    ...empty,
    vpcId,
    subnetIds: Subnets.slice(0, 2).flatMap(({ SubnetId }) => SubnetId ?? []),
    instances: Instances.flatMap(({ InstanceId }) => InstanceId ?? []),
  }
}
